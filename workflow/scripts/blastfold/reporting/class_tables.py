"""The stored tables about all classes of a run, as figures, tables and the page read them."""

import os
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import POOLED, fold_scopes
from blastfold.core.tables import read_table

METRIC_COLUMNS = ("scope", "metric", "class", "value", "lower", "upper", "method", "note")
CONFUSION_COLUMNS = ("scope", "true_class", "predicted_class", "images")


class Confusion(NamedTuple):
    """A confusion matrix of the folds taken together.

    Attributes:
        classes: Names of the n classes, in the order of their labels.
        counts: int64 (n, n), true class by row, predicted class by column; with repeats the sum
            of all repeats.
        folds: Number of folds.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    folds: int


def read_class_metrics(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``class_metrics.tsv``: one row per scope, metric and class (empty for all classes)."""
    return read_table(path, METRIC_COLUMNS, text=("method",))


def pooled_confusion(path: str | os.PathLike) -> Confusion:
    """Read the pooled counts of ``class_confusion.tsv``, or those of the only fold.

    Raises:
        InputError: A pair of classes is missing.
    """
    table = read_table(path, CONFUSION_COLUMNS, text=("true_class", "predicted_class"))
    folds = fold_scopes(table["scope"])
    scope = POOLED if (table["scope"] == POOLED).any() else folds[0]
    chosen = table[table["scope"] == scope]
    classes = list(dict.fromkeys(chosen["true_class"]))
    counts = chosen.pivot(index="true_class", columns="predicted_class", values="images")
    counts = counts.reindex(index=classes, columns=classes)
    if counts.isna().any(axis=None):
        raise InputError(f"{path}: scope {scope} lacks pairs of the classes {classes}")
    return Confusion(tuple(classes), np.rint(counts.to_numpy(float)).astype(np.int64), len(folds))


def values_of_classes(metrics: pd.DataFrame, metric: str) -> dict[str, tuple[float, float, float]]:
    """Return value, lower and upper limit of one metric by class, pooled.

    Args:
        metrics: As :func:`read_class_metrics` returns it.
        metric: One of :data:`blastfold.core.names.OF_EACH_CLASS`.
    """
    rows = metrics[(metrics["metric"] == metric) & (metrics["class"] != "")]
    return {row["class"]: _numbers(row) for _, row in _pooled(rows).iterrows()}


def notes_of_classes(metrics: pd.DataFrame, metric: str) -> dict[str, str]:
    """Return the note (codes) of one metric by class, pooled."""
    rows = _pooled(metrics[(metrics["metric"] == metric) & (metrics["class"] != "")])
    return dict(zip(rows["class"], rows["note"], strict=True))


def value_of_all(metrics: pd.DataFrame, metric: str) -> dict[str, float | str]:
    """Return value, lower, upper and note of one metric over all classes, pooled; NaN if absent."""
    rows = _pooled(metrics[(metrics["metric"] == metric) & (metrics["class"] == "")])
    if rows.empty:
        return {**dict.fromkeys(("value", "lower", "upper"), float("nan")), "note": ""}
    row = rows.iloc[0]
    return dict(zip(("value", "lower", "upper"), _numbers(row), strict=True), note=row["note"])


def _pooled(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the pooled rows, or those of the only fold."""
    pooled = rows[rows["scope"] == POOLED]
    return pooled if len(pooled) else rows[rows["scope"].isin(fold_scopes(rows["scope"])[:1])]


def _numbers(row: Mapping) -> tuple[float, float, float]:
    return tuple(float(row[name]) for name in ("value", "lower", "upper"))


def most_confused(confusion: Confusion) -> list[tuple[int, int, int]]:
    """Return the pairs of classes that are confused, with their number of confusions.

    Returns:
        Labels of both classes, the smaller one first, and the images of either class that are
        predicted as the other one; the pair with the most first, equal ones in the order of the
        labels; pairs without a confusion are left out.
    """
    both = confusion.counts + confusion.counts.T
    upper = np.argwhere(np.triu(both, k=1))
    pairs = [(int(first), int(second), int(both[first, second])) for first, second in upper]
    return sorted(pairs, key=lambda pair: -pair[2])
