"""The table of subjects and pictures whose class is predicted from all of their cells."""

import os
from collections.abc import Iterable

import pandas as pd

from blastfold.core.class_tables import SHARE_ERROR, SHARES
from blastfold.core.notes import notes_about
from blastfold.core.tables import read_table
from blastfold.core.units import MEAN_PROBABILITY
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_both

Paths = Iterable[str | os.PathLike]

CALLS = {
    "majority": "most frequent predicted class of the cells",
    MEAN_PROBABILITY: "highest mean probability of the cells",
}
"""How a subject's class is predicted, in words."""

SHOWN = ("accuracy", "balanced_accuracy")
"""The metrics of the table; the evaluation's file has others of some calls too."""


def tabulate_class_subjects(
    results: str | os.PathLike, title: str, label: str, paths: Paths
) -> None:
    """Write how well the classes of subjects and pictures are predicted by one run.

    Args:
        results: ``class_subject_metrics.tsv`` of the run.
        title: Titles of its data set, protocol and model.
        label: LaTeX label.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    columns = ("level", "call", "metric", "value", "lower", "upper", "units", "groups", "note")
    table = subject_rows(read_table(results, columns, text=("method",)))
    caption = (
        f"Classes of subjects and pictures: {title}. Each counts once; those with cells of several "
        "classes have no class of their own and are left out. In brackets: 95 % interval, exact "
        "where they are independent, else over leakage groups. Share error, of all of them: the "
        "part of the cells that would need another predicted class to give the true shares."
    )
    shown = table.assign(note=[sentences(note, short=True) for note in table["note"]])
    exact = table.assign(note=[sentences(note) for note in table["note"]])
    write_both(exact, shown, paths, caption, label)


def subject_rows(results: pd.DataFrame) -> pd.DataFrame:
    """Return one row per level and call.

    Args:
        results: ``class_subject_metrics.tsv`` of a run.

    Returns:
        level, call, call_title, units, each metric of :data:`SHOWN` and the share error of the
        level, with their limits ``_lower`` and ``_upper`` (fractions), and note (codes, with the
        metrics that they are about).
    """
    shares = results["call"] == SHARES
    rows = []
    for (level, call), part in results[~shares].groupby(["level", "call"], sort=False):
        of_level = results[shares & (results["level"] == level)]
        named = pd.concat([part, of_level]).set_index("metric")
        row = {"level": level, "call": call, "call_title": CALLS[call]}
        row["units"] = int(part["units"].iloc[0])
        shown = (*SHOWN, SHARE_ERROR)
        for metric in shown:
            row[metric] = named.at[metric, "value"]
            row |= {f"{metric}_{end}": named.at[metric, end] for end in ("lower", "upper")}
        notes = notes_about({metric: named.at[metric, "note"] for metric in shown})
        rows.append(row | {"note": notes})
    return pd.DataFrame(rows)
