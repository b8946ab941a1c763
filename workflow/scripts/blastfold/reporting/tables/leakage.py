"""The tables of the leakage audit: what crosses a split, and duplicates.

What the source of the images does not name is "unknown" with a note, never 0.
"""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from blastfold.core.names import ROLE_TITLES
from blastfold.core.tables import read_table, read_text_table
from blastfold.leakage.summaries import (
    OF_GROUPS,
    OF_SUBJECTS,
    crossings_of_split,
    duplicate_counts,
)
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import MISSING, UNKNOWN, show_unknown, write_both

KIND_TITLES = {
    "identical": "Identical pixels",
    "flipped_or_turned": "Flipped or turned",
    "recompressed": "Recompressed",
    "brightness_contrast": "Brightness or contrast",
    "shifted": "Shifted crop",
    "scaled_or_rotated": "Scaled or rotated",
}
"""The kinds of duplicates, from the plainest to the most changed."""

Paths = Iterable[str | os.PathLike]


def tabulate_leakage(
    leakage: Paths,
    splits: Sequence[tuple[str, str]],
    titles: dict[str, dict],
    paths: Paths,
) -> None:
    """Write what crosses from test to training and validation in every split.

    Args:
        leakage: ``<protocol>.leakage.tsv`` of each split.
        splits: Names of the data set and the protocol of each split, in the same order.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    tables = []
    for path, (dataset, protocol) in zip(leakage, splits, strict=True):
        table = leakage_rows(crossings_of_split(read_table(path)))
        names = {"dataset": dataset, "dataset_title": titles["dataset"][dataset]}
        names |= {"protocol": protocol, "protocol_title": titles["protocol"][protocol]}
        for place, (column, name) in enumerate(names.items()):
            table.insert(place, column, name)
        tables.append(table)
    caption = (
        "Test images that are related to training or validation images: those with a copy, "
        "their subject, their picture, their original (parent) or any image of their leakage "
        "group there. Test images are counted over all folds."
    )
    table = pd.concat(tables, ignore_index=True)
    write_both(table, show_crossings(table), paths, caption, "tab:leakage")


def leakage_rows(crossings: pd.DataFrame) -> pd.DataFrame:
    """Add titles and sentences to the crossing test images of one split.

    Args:
        crossings: As :func:`blastfold.leakage.summaries.crossings_of_split` returns it.

    Returns:
        The same columns, with against_title and the note in words.
    """
    table = crossings.assign(note=[sentences(note) for note in crossings["note"]])
    table.insert(1, "against_title", table["against"].map(ROLE_TITLES))
    return table


def show_crossings(table: pd.DataFrame) -> pd.DataFrame:
    """Put counts and shares into one cell for print."""
    shown = table.copy()
    for share in [column for column in table if column.endswith("_share")]:
        column = share.removesuffix("_share")
        shown[column] = [
            _count_with_share(count, part)
            for count, part in zip(table[column], table[share], strict=True)
        ]
    shown = shown.rename(columns={"against": "related_to", "against_title": "related_to_title"})
    return shown.drop(columns=[column for column in shown if column.endswith("_share")])


def _count_with_share(count: int, share: float) -> str:
    if pd.isna(count):
        return UNKNOWN
    return MISSING if pd.isna(share) else f"{count} ({100 * share:.1f} %)"


def tabulate_duplicates(
    duplicates: str | os.PathLike,
    manifest: str | os.PathLike,
    groups: str | os.PathLike,
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write how many duplicates of each kind a data set has.

    Args:
        duplicates: ``duplicates.tsv`` of the data set.
        manifest: ``manifest.tsv`` of the data set.
        groups: ``groups.tsv`` of the data set.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = duplicate_counts(*map(read_text_table, (duplicates, manifest, groups)))
    titles = [KIND_TITLES.get(kind, kind.replace("_", " ").capitalize()) for kind in table["kind"]]
    table.insert(1, "kind_title", titles)
    caption = (
        f"Duplicates in {title}: pairs of images that show the same cell, the images in them, and "
        "the leakage groups that hold them (images tied by subject, picture, original or "
        "duplicates). The last row counts all images and all their leakage groups."
    )
    table["note"] = [sentences(note) for note in table["note"]]
    shown = show_unknown(table, (*OF_SUBJECTS, *OF_GROUPS))
    write_both(table, shown, paths, caption, label)
