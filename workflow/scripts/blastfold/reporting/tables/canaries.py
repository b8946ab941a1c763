"""The table of canaries: what models reach on permuted labels, beside the true labels."""

from collections.abc import Sequence

import pandas as pd

from blastfold.reporting.tables.results import Paths, read_intervals, read_metrics
from blastfold.reporting.tables.writing import heading_of, write_table

LABELS = {
    "true": "true",
    "subject": "permuted among subjects",
    "image": "permuted among images",
}
"""How the table names the labels of a run."""

SHOWN = ("auc", "accuracy")
"""The metrics of the table."""

NAMES = ("dataset", "dataset_title", "protocol", "protocol_title", "model", "model_title")

CAPTION = (
    "Canaries: the same models on labels that say nothing about the disease. AUC and accuracy of "
    "the test images of all folds taken together. In brackets: 95 % interval over leakage groups."
)


def tabulate_canaries(metrics: Paths, intervals: Paths, runs: Sequence[dict], paths: Paths) -> None:
    """Write AUC and accuracy on permuted labels beside those on the true ones.

    Args:
        metrics: ``metrics.tsv`` of each run.
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with labels (a key of LABELS), the names
            and titles of NAMES (of the data set with true labels) and group_by (of the protocol).
        paths: Tables to write.
    """
    rows = [
        canary_row(read_metrics(path), read_intervals(limits), run)
        for path, limits, run in zip(metrics, intervals, runs, strict=True)
    ]
    write_table(pd.DataFrame(rows), paths, CAPTION, "tab:canaries")


def canary_row(metrics: pd.DataFrame, intervals: pd.DataFrame, run: dict) -> dict:
    """Return one row of the table.

    Args:
        metrics: As :func:`blastfold.reporting.tables.results.read_metrics` returns it.
        intervals: As :func:`blastfold.reporting.tables.results.read_intervals` returns it.
        run: See :func:`tabulate_canaries`.

    Returns:
        labels, NAMES, each metric of SHOWN with the limits ``<metric>_lower`` and
        ``<metric>_upper`` of its interval (fractions, over the test images of all folds), note.
    """
    pooled, limits = metrics.loc["pooled"], intervals.loc["pooled"]
    notes = [meaning(run["labels"], run["group_by"])]
    notes += _notes_on_intervals(limits)
    if pooled[list(SHOWN)].isna().any():
        notes.append(f"Not defined: {pooled['note']}.")
    row = {"labels": LABELS[run["labels"]], **{name: run[name] for name in NAMES}}
    for metric in SHOWN:
        row[metric] = float(pooled[metric])
        row |= {f"{metric}_{end}": float(limits.at[metric, end]) for end in ("lower", "upper")}
    return row | {"note": " ".join(filter(None, notes))}


def _notes_on_intervals(limits: pd.DataFrame) -> list[str]:
    """Say which intervals are missing and why, and which ones rest on few groups."""
    names = {metric: heading_of(metric).removesuffix(" (%)") for metric in SHOWN}
    missing = [metric for metric in SHOWN if pd.isna(limits.at[metric, "lower"])]
    few = [metric for metric in SHOWN if "few groups" in limits.at[metric, "note"]]
    few = [names[metric] for metric in few if metric not in missing]
    notes = [
        f"No interval of {names[metric]}: {limits.at[metric, 'note'] or 'undefined'}."
        for metric in missing
    ]
    return notes + ([f"Few groups: the interval of {' and '.join(few)} is wide."] if few else [])


def meaning(labels: str, group_by: str) -> str:
    """Say in plain words what a result on these labels under this protocol means.

    Args:
        labels: A key of LABELS.
        group_by: What the protocol keeps on one side of a split: image, picture, subject, group.

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
            "there is nothing to learn. With few subjects the AUC scatters widely and tends to "
            "lie below 50 %."
        )
    if labels == "subject":
        return (
            "Labels permuted among subjects: nothing about the disease can be learnt. An AUC "
            "clearly above 50 % under this protocol measures recognition of subjects."
        )
    return ""
