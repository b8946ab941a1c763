"""Metrics and curves of one model under one protocol, from stored predictions alone."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.files import write_json
from blastfold.core.names import (
    CELLS,
    MEAN,
    METRICS,
    OVER_CLASSES,
    POOLED,
    SD,
    fold_scope,
    fold_scopes,
    repeat_scope,
    repeat_scopes,
)
from blastfold.core.notes import make_note
from blastfold.core.predictions import (
    class_pair,
    mark_positive,
    predicted_classes,
    read_test_predictions,
)
from blastfold.core.tables import read_text_table, write_table
from blastfold.statistics.class_grouped import group_classes
from blastfold.statistics.corners import average_precision, precision_recall_corners, roc_corners
from blastfold.statistics.grouped import group_predictions, repeat_count
from blastfold.statistics.metrics import metric_values, undefined_reason

logger = logging.getLogger(__name__)

EVALUATED = ("metrics", "confusion", "roc", "precision_recall", "report")
"""The tables of :func:`evaluate_model`."""

REPORTED = {"precision": "precision", "recall": "sensitivity", "f1": "f1"}
"""Columns of the classification report with their metrics: a class's recall is its sensitivity."""


def evaluate_model(
    predictions: Sequence[str | os.PathLike], outputs: Mapping[str, str | os.PathLike]
) -> None:
    """Evaluate the test predictions of all folds of one model.

    Args:
        predictions: Tables of all folds, see :func:`blastfold.core.predictions.read_predictions`.
        outputs: Paths by name, see :data:`EVALUATED`.

    Raises:
        InputError: When a table of predictions is not as expected.
    """
    tested = read_test_predictions(predictions)
    tables = {
        "metrics": metrics_table(tested),
        "confusion": confusion_table(tested),
        "roc": curves_by_scope(tested, roc_curve),
        "precision_recall": curves_by_scope(tested, precision_recall_curve),
        "report": report_table(tested),
    }
    for name, path in outputs.items():
        write_table(tables[name], path)
    pooled = tables["metrics"].query("scope == @POOLED").set_index("metric")["value"]
    logger.info(
        "accuracy %.4f, AUC %.4f of %d test predictions (pooled)",
        pooled["accuracy"],
        pooled["auc"],
        len(tested),
    )


def pool_folds(
    predictions: Sequence[str | os.PathLike],
    runs: Sequence[str | os.PathLike],
    histories: Sequence[str | os.PathLike],
    layers: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
    positive: Sequence[str] | None = None,
) -> None:
    """Collect what the trainings of all folds of one model wrote into one file of each kind.

    Args:
        predictions: Tables of one fold or of several, whose rows are copied unchanged; the names
            of the positive classes are added (:func:`blastfold.core.predictions.mark_positive`).
        runs: Records, JSON: that of one fold or a list of several.
        histories: Tables of one fold or of several.
        layers: Layers of the network, which are the same in every fold.
        outputs: Paths of predictions, runs (a list of all records), history and layers.
        positive: Names of the positive classes; None for the last of two classes.

    Raises:
        InputError: There are more than two classes and none is named positive, or a name is not
            that of a class.
    """
    tables = {"predictions": predictions, "history": histories, "layers": [layers]}
    for name, paths in tables.items():
        table = pd.concat([read_text_table(path) for path in paths])
        table = mark_positive(table, positive) if name == "predictions" else table
        write_table(table, outputs[name])
    records = [json.loads(Path(path).read_text("utf-8")) for path in runs]
    lists = [record if isinstance(record, list) else [record] for record in records]
    write_json([record for records in lists for record in records], outputs["runs"])


def scopes(tested: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every fold as ``fold-<number>`` and then all folds together as ``pooled``."""
    for fold, rows in tested.groupby("fold", sort=True):
        yield fold_scope(fold), rows
    yield POOLED, tested


def scopes_of_repeats(tested: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield every repeat as ``repeat-<number>`` where there are several."""
    if repeat_count(tested) > 1:
        for repeat, rows in tested.groupby("repeat", sort=True):
            yield repeat_scope(repeat), rows


def count_totals(images: pd.DataFrame) -> np.ndarray:
    """Count the confusion cells and the ordered pairs of test images at the threshold 0.5.

    Args:
        images: label (0 negative, 1 positive) and probability (of the positive class).

    Returns:
        float64 (5,), see :data:`blastfold.statistics.metrics.TOTALS`.
    """
    # One group holds all images: its totals are the sums over them.
    return group_predictions(images, np.zeros(len(images))).totals()


def measured_metrics(images: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics of predictions; of more than two classes also those over all classes."""
    return (*METRICS, *OVER_CLASSES) if len(predicted_classes(images)) > 2 else METRICS


def compute_metrics(images: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Compute every metric at the threshold 0.5, or of the most probable class.

    Args:
        images: label (0 negative, 1 positive) and probability (of the positive class); of more than
            two classes class_label and the probability of each.

    Returns:
        Value and note by metric of :func:`measured_metrics`. A value that is not defined is NaN,
        and the note gives the reason.
    """
    totals = dict.fromkeys(METRICS, count_totals(images))
    if over := measured_metrics(images)[len(METRICS) :]:
        totals |= dict.fromkeys(over, group_classes(images, np.zeros(len(images))).totals())
    return {
        metric: (float(metric_values(metric, own)), undefined_reason(metric, own))
        for metric, own in totals.items()
    }


def metrics_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return scope, metric, value and note: every fold, their mean and sd, repeats and pooled.

    With several repeats each has a row with its folds taken together, and ``pooled`` is the mean
    of the repeats (see :class:`blastfold.statistics.grouped.RepeatedPredictions`).
    """
    rows = []
    for scope, images in [*scopes(tested), *scopes_of_repeats(tested)]:
        values = compute_metrics(images)
        rows += [(scope, metric, value, note) for metric, (value, note) in values.items()]
    table = pd.DataFrame(rows, columns=["scope", "metric", "value", "note"])
    folds = table[table["scope"].isin(fold_scopes(table["scope"]))]
    summary = [_summarise(folds, metric) for metric in measured_metrics(tested)]
    summary = pd.DataFrame([row for pair in summary for row in pair], columns=table.columns)
    summary = summary.sort_values("scope", kind="stable")
    repeats = table[table["scope"].isin(repeat_scopes(table["scope"]))]
    pooled = table[table["scope"] == POOLED]
    return pd.concat([folds, summary, repeats, pooled], ignore_index=True)


def _summarise(folds: pd.DataFrame, metric: str) -> list[tuple[str, str, float, str]]:
    return summarise_folds(folds[folds["metric"] == metric], metric)


def summarise_folds(rows: pd.DataFrame, metric: str) -> list[tuple[str, str, float, str]]:
    """Return the mean and the standard deviation of one metric over folds.

    Args:
        rows: value and note of every fold.
        metric: Name of the metric.

    Returns:
        Two tuples of scope, metric, value and note.
    """
    values, note = rows["value"].dropna(), ""
    if 0 < len(values) < len(rows):
        note = make_note("defined_folds", len(values), len(rows))
    elif values.empty:
        note = rows["note"].iloc[0]
    spread = values.std(ddof=1)
    spread_note = note if len(values) != 1 else make_note("one_fold")
    return [(MEAN, metric, values.mean(), note), (SD, metric, spread, spread_note)]


def confusion_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Count right and wrong predictions of every fold and pooled at the threshold 0.5.

    With several repeats ``pooled`` counts each image once per repeat.

    Returns:
        scope, the cells of the confusion matrix, positive_share (share of the images that are of
        the positive class), negative_class and positive_class (names).
    """
    negative, positive = class_pair(tested)
    rows = []
    for scope, images in scopes(tested):
        totals = count_totals(images)[: len(CELLS)] * repeat_count(images)
        counts = totals.round().astype(int)
        share = float((images["label"] == 1).mean())
        rows.append((scope, *counts, share, negative, positive))
    names = [*CELLS, "positive_share", "negative_class", "positive_class"]
    return pd.DataFrame(rows, columns=["scope", *names])


def roc_curve(images: pd.DataFrame) -> pd.DataFrame:
    """Return the ROC's corners: false_positive_rate, true_positive_rate, threshold.

    Of several repeats it is the mean of their curves over the false positive rate (vertical
    averaging; Fawcett 2006, An introduction to ROC analysis, section 8), without thresholds.
    """
    if repeat_count(images) > 1:
        curves = [roc_curve(repeat) for _, repeat in images.groupby("repeat")]
        rates = np.unique(np.concatenate([curve["false_positive_rate"] for curve in curves]))
        heights = [
            np.interp(rates, curve["false_positive_rate"], curve["true_positive_rate"])
            for curve in curves
        ]
        corners = {
            "false_positive_rate": [0, *rates],
            "true_positive_rate": [0, *np.mean(heights, 0)],
        }
        return pd.DataFrame(corners).assign(threshold=np.nan)
    false_positive, true_positive, threshold = roc_corners(
        images["label"].to_numpy(), images["probability"].to_numpy()
    )
    return pd.DataFrame(
        {
            "false_positive_rate": false_positive,
            "true_positive_rate": true_positive,
            "threshold": threshold,
        }
    )


def precision_recall_curve(images: pd.DataFrame) -> pd.DataFrame:
    """Return recall, precision, threshold and average_precision, the same in every row.

    The last point, (0, 1), has an infinite threshold. The average precision is scikit-learn's,
    without interpolation.

    Of several repeats it is the mean of their curves over the recall, without thresholds. Between
    two corners a curve has the precision of the higher recall, as in the average precision, which
    is the mean of the repeats' too.
    """
    if repeat_count(images) > 1:
        curves = [precision_recall_curve(repeat) for _, repeat in images.groupby("repeat")]
        recalls = np.unique(np.concatenate([curve["recall"] for curve in curves]))
        # From recall 1 down; of the corners of one recall the last has the best precision.
        heights = [
            curve["precision"].to_numpy()[
                len(curve) - np.searchsorted(curve["recall"].to_numpy()[::-1], recalls) - 1
            ]
            for curve in curves
        ]
        return pd.DataFrame(
            {
                "recall": recalls[::-1],
                "precision": np.mean(heights, 0)[::-1],
                "threshold": np.nan,
                "average_precision": np.mean([curve["average_precision"][0] for curve in curves]),
            }
        )
    label, probability = images["label"].to_numpy(), images["probability"].to_numpy()
    precision, recall, threshold = precision_recall_corners(label, probability)
    return pd.DataFrame(
        {
            "recall": recall,
            "precision": precision,
            "threshold": [*threshold, np.inf],
            "average_precision": average_precision(precision, recall),
        }
    )


def curves_by_scope(
    tested: pd.DataFrame, curve: Callable[[pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Return a curve of every fold and pooled; a scope with one class has none and no rows."""
    # The first table gives the columns where no scope has both classes.
    both = pd.DataFrame({"label": [0, 1], "probability": [0.0, 1.0]})
    tables = [curve(both).head(0).assign(scope="")]
    for scope, images in scopes(tested):
        if images["label"].nunique() < 2:
            logger.warning("%s has test images of one class only: no curve", scope)
            continue
        tables.append(curve(images).assign(scope=scope))
    table = pd.concat(tables if len(tables) == 1 else tables[1:], ignore_index=True)
    return table[["scope", *table.columns.drop("scope")]]


def report_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Return the classification report: scope, class, precision, recall, f1, support and note.

    Precision, recall and F1 are those of each class against the other one.
    """
    rows = []
    for scope, images in scopes(tested):
        totals = count_totals(images)
        # Exchanging the classes exchanges right with right and wrong with wrong predictions.
        of_class = (totals[[3, 2, 1, 0, 4]], totals)
        for name, counts in zip(class_pair(tested), of_class, strict=True):
            values = [float(metric_values(metric, counts)) for metric in REPORTED.values()]
            note = make_note("undefined") if np.isnan(values).any() else ""
            support = round(counts[2] + counts[3])
            rows.append((scope, name, *values, support, note))
    columns = ["scope", "class", *REPORTED, "support", "note"]
    return pd.DataFrame(rows, columns=columns)
