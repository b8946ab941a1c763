"""The table of what models learn from elsewhere and what of it they are tested on."""

import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from blastfold.core.names import SHARED
from blastfold.core.notes import make_note
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import show_unknown, write_both

COUNTS = (
    *("tested_images", "same_files", "duplicates", "same_photographs", "shared_subjects"),
    *("images_of_shared_subjects", "affected"),
)

VERDICTS = {
    "nothing_shared": "nothing shared",
    "no_equal_file": "no equal file",
    SHARED: "shared",
    "unknown": "unknown",
}


def tabulate_identity(
    audits: Iterable[str | os.PathLike],
    splits: Sequence[tuple[str, str]],
    titles: Mapping[str, Mapping[str, str]],
    paths: Iterable[str | os.PathLike],
) -> None:
    """Write what the test images of every split share with what its models learn from elsewhere.

    Args:
        audits: Table of :func:`blastfold.leakage.identity.audit_identity` of each split.
        splits: Names of the data set and the protocol of each split, in the same order.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        paths: Tables to write.
    """
    tables = []
    for path, (_, protocol) in zip(audits, splits, strict=True):
        table = read_table(path, text=("learnt_from", "tested_on", "verdict"))
        table.insert(0, "protocol", protocol)
        table.insert(1, "protocol_title", titles["protocol"][protocol])
        tables.append(table)
    table = pd.concat(tables, ignore_index=True).astype(dict.fromkeys(COUNTS, "Int64"))
    for column in ("learnt_from", "tested_on"):
        # A file of weights has no title.
        named = table[column].map(titles["dataset"]).fillna(table[column])
        table.insert(table.columns.get_loc(column) + 1, f"{column}_title", named)
    table["note"] = [_note(row) for row in table.itertuples()]
    table["verdict"] = table["verdict"].map(VERDICTS)
    caption = (
        "Test images that models also learn from elsewhere: in the data sets behind their start "
        "weights, or in the training data of an external test. Data sets are compared by the "
        "content of files and of images, not by their names. Affected are images that were read "
        "from an equal file, show the same cell, were cut from the same photograph, or are of a "
        "shared subject."
    )
    write_both(table, show_unknown(table, COUNTS[1:]), paths, caption, "tab:identity")


def _note(row) -> str:
    """Say why counts of a row are missing; "" where none is."""
    if pd.isna(row.affected):
        return sentences(make_note("no_learnt_images_recorded"))
    return sentences(make_note("only_equal_files_found")) if pd.isna(row.duplicates) else ""
