"""The classification report of one model (thesis 5.2): both classes, and their averages."""

import os
from collections.abc import Iterable

import pandas as pd

from blastfold.core.names import POOLED, fold_scopes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_table

AVERAGED = ("precision", "recall", "f1")
"""Columns with an average over the classes."""

Paths = Iterable[str | os.PathLike]


def tabulate_report(report: str | os.PathLike, title: str, label: str, paths: Paths) -> None:
    """Write the classification report of one model under one protocol.

    Args:
        report: ``report.tsv`` of the run.
        title: Titles of its data set, protocol and model.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = classification_report(read_table(report, text=("class",)))
    caption = (
        f"Classification report: {title}. The test images of all folds are taken together. The "
        "macro average is the mean of the classes, the weighted average that of the images."
    )
    write_table(table, paths, caption, label)


def classification_report(report: pd.DataFrame) -> pd.DataFrame:
    """Return one row per class, then the macro and the weighted average.

    Args:
        report: scope, class, precision, recall, f1 (fractions), support (images) and note (codes).

    Returns:
        class, precision, recall, f1, support and note (sentences), of all folds pooled or of the
        only test set. An average of undefined values is undefined.
    """
    folds = fold_scopes(report["scope"])
    scope = POOLED if (report["scope"] == POOLED).any() or not folds else folds[0]
    rows = report[report["scope"] == scope].drop(columns="scope").reset_index(drop=True)
    notes = [sentences(note) for note in rows["note"].fillna("")]
    rows = rows.assign(note=notes)
    reason = next(filter(None, notes), "")
    values, support = rows[list(AVERAGED)], rows["support"]
    averages = {
        "macro average": values.mean(skipna=False),
        "weighted average": values.mul(support, axis=0).sum(skipna=False) / support.sum(),
    }
    for name, average in averages.items():
        row = {"class": name, **average, "support": int(support.sum())}
        rows.loc[len(rows)] = row | {"note": reason if average.isna().any() else ""}
    return rows[["class", *AVERAGED, "support", "note"]]
