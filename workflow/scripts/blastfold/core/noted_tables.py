"""Tables in which no number is missing without a note that says why."""

import pandas as pd

from blastfold.core.errors import BlastfoldError


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
