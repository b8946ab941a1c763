"""The table of canaries: results on permuted labels and on the true labels."""

from collections.abc import Sequence

import pandas as pd

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import MACRO_AUC, POOLED
from blastfold.core.notes import join_notes, make_note, notes_about, only_notes
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.results import Paths, read_metrics
from blastfold.reporting.tables.writing import write_table

LABELS = {
    "true": "true",
    "subject": "permuted among subjects",
    "image": "permuted among images",
}
"""How the table names the labels of a run."""

SHOWN = ("auc", "accuracy")
"""The metrics of the table; where a run has more than two classes also their macro AUC."""

NAMES = ("dataset", "dataset_title", "protocol", "protocol_title", "model", "model_title")

CAPTION = (
    "Canaries: the same models on labels without information about the disease. AUC and accuracy "
    "of the test images of all folds taken together. In brackets: 95 % interval over leakage "
    "groups."
)

CAPTION_OF_CLASSES = CAPTION.replace("the disease", "the classes").replace(
    "AUC and accuracy", "Macro AUC over all classes, AUC and accuracy of the positive classes"
)
"""The caption where a data set has more than two classes."""


def tabulate_canaries(metrics: Paths, intervals: Paths, runs: Sequence[dict], paths: Paths) -> None:
    """Write AUC and accuracy on permuted labels and on the true ones.

    Args:
        metrics: ``metrics.tsv`` of each run.
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with labels (a key of LABELS), the names
            and titles of NAMES (of the data set with true labels) and group_by (of the protocol).
        paths: Tables to write.
    """
    limits = [read_intervals(path, SHOWN) for path in intervals]
    over = any((POOLED, MACRO_AUC) in table.index for table in limits)
    shown = (MACRO_AUC, *SHOWN) if over else SHOWN
    rows = [
        canary_row(read_metrics(path), table, run, shown)
        for path, table, run in zip(metrics, limits, runs, strict=True)
    ]
    caption = CAPTION_OF_CLASSES if over else CAPTION
    write_table(pd.DataFrame(rows), paths, caption, "tab:canaries")


def canary_row(
    metrics: pd.DataFrame, intervals: pd.DataFrame, run: dict, shown: Sequence[str] = SHOWN
) -> dict:
    """Return one row of the table.

    Args:
        metrics: As :func:`blastfold.reporting.tables.results.read_metrics` returns it.
        intervals: As :func:`blastfold.core.interval_table.read_intervals` returns it.
        run: See :func:`tabulate_canaries`.
        shown: The metrics; one that the run lacks is undefined.

    Returns:
        labels, NAMES, each shown metric with the limits ``<metric>_lower`` and
        ``<metric>_upper`` of its interval (fractions, over the test images of all folds), note.
    """
    pooled = metrics.loc[POOLED].reindex(shown)
    limits = intervals.loc[POOLED].reindex(shown)
    limits["note"] = limits["note"].fillna(make_note("undefined"))
    several = (POOLED, MACRO_AUC) in intervals.index
    notes = [meaning(run["labels"], run["group_by"], several=several), _note_on_intervals(limits)]
    row = {"labels": LABELS[run["labels"]], **{name: run[name] for name in NAMES}}
    for metric in shown:
        row[metric] = float(pooled[metric])
        row |= {f"{metric}_{end}": float(limits.at[metric, end]) for end in ("lower", "upper")}
    return row | {"note": " ".join(filter(None, notes))}


def _note_on_intervals(limits: pd.DataFrame) -> str:
    """Return why intervals are missing, and which ones rest on few groups."""
    notes = {}
    for metric in limits.index:
        note = limits.at[metric, "note"]
        if pd.isna(limits.at[metric, "lower"]):
            notes[metric] = join_notes(make_note("no_interval"), note)
        else:
            notes[metric] = only_notes(note, "few_groups")
    found = sentences(notes_about(notes), short=True)
    return f"{found}." if found else ""


def meaning(labels: str, group_by: str, *, several: bool = False) -> str:
    """Explain what a result on these labels under this protocol means.

    Args:
        labels: A key of LABELS.
        group_by: What the protocol keeps on one side of a split: image, picture, subject, group.
        several: Whether there are more than two classes, which need not be a disease.

    Returns:
        One or two sentences; empty for the true labels.
    """
    if labels == "image":
        return (
            "Labels permuted among images: there is nothing to learn. An AUC clearly away from "
            "50 % points to an error in splitting or evaluating."
        )
    if labels == "subject" and group_by in ("subject", "group"):
        return (
            "Labels permuted among subjects, which this protocol keeps on one side of a split: "
            "there is nothing to learn. With few subjects the AUC varies widely and tends to "
            "be below 50 %."
        )
    if labels == "subject":
        what = "classes" if several else "disease"
        return (
            f"Labels permuted among subjects: nothing about the {what} can be learnt. An AUC "
            "clearly above 50 % under this protocol measures recognition of subjects."
        )
    return ""
