"""Tables in which no number is missing without a note that gives the reason."""

import os

import pandas as pd

from blastfold.core.errors import BlastfoldError
from blastfold.core.tables import write_table


def require_notes(table: pd.DataFrame) -> None:
    """Check that no number is missing without a note.

    A standard deviation may be missing: there is none where there is one fold.

    Raises:
        BlastfoldError: Names the first column and row.
    """
    notes = table.get("note", pd.Series("", index=table.index)).fillna("")
    for column in table.columns.drop("note", errors="ignore"):
        silent = table[column].isna() & (notes == "")
        if silent.any() and not column.endswith("_sd"):
            row = table.loc[silent.idxmax()].to_dict()
            raise BlastfoldError(f"column {column!r} has no value and no note in the row {row}")


def write_noted(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table as TSV after the check of :func:`require_notes`.

    Raises:
        BlastfoldError: Names the first column and row with a missing value and no note.
    """
    require_notes(table)
    write_table(table, path)
