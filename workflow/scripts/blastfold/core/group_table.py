"""The leakage group of every image, and whether what ties it to other images is known."""

import os
from collections.abc import Iterable

import pandas as pd

from blastfold.core.names import POOLED, PROCEDURE
from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import read_text_table

KNOWN, UNKNOWN, DECLARED = "known", "unknown", "declared"
"""What ``relations`` holds: the subject is named; it is not; it is not, but the config declares
the images of the data set as independent."""


def read_groups(path: str | os.PathLike) -> pd.Series:
    """Read the leakage group of every image, by image_id.

    Raises:
        InputError: A column is missing.
    """
    return read_text_table(path, ("image_id", "group")).set_index("image_id")["group"]


def read_unknown(path: str | os.PathLike) -> frozenset[str]:
    """Read which images have an unknown subject, so that their leakage group may be incomplete.

    Raises:
        InputError: A column is missing.
    """
    table = read_text_table(path, ("image_id", "relations"))
    return frozenset(table.loc[table["relations"] == UNKNOWN, "image_id"])


def note_unknown(
    table: pd.DataFrame, groups: Iterable[str | os.PathLike], image_ids: Iterable[str]
) -> pd.DataFrame:
    """Add to intervals over leakage groups that the groups of some images may be incomplete.

    Args:
        table: note (codes) and, where the table has intervals of folds too, view or scope.
        groups: ``groups.tsv`` of the data sets.
        image_ids: The tested images.

    Returns:
        The table with the note in every row of pooled images and of verdicts; the same table where
        all is known.

    Raises:
        InputError: A column is missing.
    """
    names = set(image_ids)
    missing = len(names & frozenset().union(*map(read_unknown, groups)))
    if not missing:
        return table
    note = make_note("groups_of_unknown_subjects", missing, len(names))
    pooled = pd.Series(True, index=table.index)
    for column in ("view", "scope"):
        pooled &= table[column].isin((POOLED, PROCEDURE)) if column in table else True
    notes = table["note"].fillna("")
    return table.assign(note=notes.where(~pooled, [join_notes(old, note) for old in notes]))
