"""The tables of data sets with more than two classes: each class, and all classes together."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.names import (
    CLASS_METRIC_FACTS,
    MACRO_AUC,
    OF_EACH_CLASS,
    QUADRATIC_KAPPA,
    TOP_TWO,
)
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.predictions import positive_classes, read_test_predictions
from blastfold.reporting.class_tables import (
    Confusion,
    notes_of_classes,
    pooled_confusion,
    read_class_metrics,
    value_of_all,
    values_of_classes,
)
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_both

Paths = Iterable[str | os.PathLike]

SHOWN = (*OF_EACH_CLASS[1:], OF_EACH_CLASS[0])
"""The metrics of a class, in the order of its table."""

LIMITED = (TOP_TWO, QUADRATIC_KAPPA)
"""Metrics that exist for some data sets alone; columns without any value are left out."""

PRINTED = (
    MACRO_AUC,
    *(metric for metric in CLASS_METRIC_FACTS if metric not in (MACRO_AUC, "weighted_f1")),
)
"""The metrics over all classes that are printed, in their order; the TSV has all."""


def tabulate_classes(
    metrics: str | os.PathLike,
    confusion: str | os.PathLike,
    predictions: str | os.PathLike,
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write one row per class of one run: how well it is distinguished from all others.

    Args:
        metrics: ``class_metrics.tsv`` of the run.
        confusion: ``class_confusion.tsv`` of the run.
        predictions: Predictions of the run, which name the positive classes.
        title: Titles of its data set, protocol and model.
        label: LaTeX label.
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    counts = pooled_confusion(confusion)
    positive = positive_classes(read_test_predictions(predictions))
    table = class_table(read_class_metrics(metrics), counts, positive)
    shown = table.assign(note=[sentences(note, short=True) for note in table["note"]])
    exact = table.assign(note=[sentences(note) for note in table["note"]])
    caption = (
        f"Each class against all others: {title}. An image is predicted as its most probable "
        "class; the AUC is that of the probability of the class. In brackets: 95 % interval over "
        "leakage groups."
    )
    if counts.folds > 1:
        caption += " The test images of all folds are taken together."
    write_both(exact, shown, paths, caption, label)


def class_table(
    metrics: pd.DataFrame, confusion: Confusion, positive: Sequence[str] = ()
) -> pd.DataFrame:
    """Return one row per class.

    Args:
        metrics: As :func:`blastfold.reporting.class_tables.read_class_metrics` returns it.
        confusion: Counts of all folds together.
        positive: Names of the positive classes.

    Returns:
        class, images (of the class), predicted (images predicted as it), positive (yes or no), each
        metric of :data:`SHOWN` with its limits ``_lower`` and ``_upper`` (fractions), and note
        (codes).
    """
    values = {metric: values_of_classes(metrics, metric) for metric in SHOWN}
    unknown = (float("nan"),) * 3
    rows = []
    for place, name in enumerate(confusion.classes):
        row = {
            "class": name,
            "images": int(confusion.counts[place].sum()),
            "predicted": int(confusion.counts[:, place].sum()),
            "positive": "yes" if name in positive else "no",
        }
        for metric in SHOWN:
            numbers = values[metric].get(name, unknown)
            row |= dict(zip((metric, f"{metric}_lower", f"{metric}_upper"), numbers, strict=True))
        rows.append(row | {"note": _note_of_class(metrics, name, row)})
    return pd.DataFrame(rows)


def _note_of_class(metrics: pd.DataFrame, name: str, row: Mapping) -> str:
    """Return the notes (codes) of a class's metrics, each with the metrics that it is about."""
    stored = {metric: notes_of_classes(metrics, metric).get(name, "") for metric in SHOWN}
    return notes_about({metric: _note(stored[metric], row, metric) for metric in SHOWN})


def _note(stored: str, row: Mapping, metric: str) -> str:
    """Return a note; a missing number without one has one that reports it."""
    if stored:
        return stored
    if np.isnan(row[metric]):
        return make_note("undefined")
    return make_note("no_interval") if np.isnan(row[f"{metric}_lower"]) else ""


def tabulate_class_results(
    metrics: Paths, runs: Sequence[dict], title: str, label: str, paths: Paths
) -> None:
    """Write the results over all classes of every run on one data set.

    Args:
        metrics: ``class_metrics.tsv`` of each run.
        runs: For each run, in the same order, a dict with protocol, protocol_title, model,
            model_title and group_by.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    rows = []
    for path, run in zip(metrics, runs, strict=True):
        names = {key: run[key] for key in ("protocol", "protocol_title", "model", "model_title")}
        kept = {"kept_together": run["group_by"].replace("_", " ")}
        rows.append({**names, **kept, **overall_row(read_class_metrics(path))})
    table = without_unused(pd.DataFrame(rows))
    caption = (
        f"Results over all classes of {title}: all test images of a model under a protocol "
        "together. Macro values are means of the classes, each of which counts once. In brackets: "
        "95 % interval over leakage groups. Kept together: what the protocol never divides between "
        "training and test."
    )
    write_both(table, printed_results(table), paths, caption, label)


def overall_row(metrics: pd.DataFrame) -> dict:
    """Return every metric over all classes of a run with its limits, and the notes.

    Args:
        metrics: As :func:`blastfold.reporting.class_tables.read_class_metrics` returns it.
    """
    row, notes = {}, {}
    for metric in CLASS_METRIC_FACTS:
        found = value_of_all(metrics, metric)
        row |= {metric: found["value"]}
        row |= {f"{metric}_{end}": found[end] for end in ("lower", "upper")}
        if metric not in LIMITED or found["value"] == found["value"] or found["note"]:
            notes[metric] = _note(found["note"], row, metric)
    return row | {"note": sentences(join_notes(notes_about(notes)), short=True)}


def without_unused(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out the metrics that are not for this data set: two best classes of four, for instance.

    Args:
        table: Rows of :func:`overall_row`.
    """
    unused = [metric for metric in LIMITED if table[metric].isna().all()]
    ends = [f"{metric}{end}" for metric in unused for end in ("", "_lower", "_upper")]
    return table.drop(columns=ends)


def printed_results(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the table of results that are printed, the macro AUC first."""
    names = ["protocol", "protocol_title", "model", "model_title", "kept_together"]
    metrics = [metric for metric in PRINTED if metric in table]
    shown = [f"{metric}{end}" for metric in metrics for end in ("", "_lower", "_upper")]
    return table[[*names, *shown, "note"]]
