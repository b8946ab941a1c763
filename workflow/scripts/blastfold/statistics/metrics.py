"""The metrics of the evaluation, computed from sums so that resampling is cheap.

Every metric is a function of five totals: the four cells of the confusion matrix and the
number of (positive, negative) pairs of images that the probability puts in the right order.
Totals add up over groups of images, so that a bootstrap of whole groups is one matrix product.

These are the metrics of two classes, or of the positive classes of more against the rest. Totals of
more than two classes go to :mod:`blastfold.statistics.class_formulas`. A metric without a value is
undefined, with a reason (:func:`undefined_reason`); no value is put in its place.
"""

from collections.abc import Callable

import numpy as np

from blastfold.core.names import ALL_METRIC_FACTS, BOTH_CLASSES, CELLS
from blastfold.core.notes import make_note
from blastfold.statistics.class_formulas import (
    CLASS_TOTALS,
    class_metric_values,
    undefined_class_reason,
)

TOTALS = (*CELLS, "ordered_pairs")
"""Names of the last axis of a totals array."""


def metric_values(metric: str, totals: np.ndarray) -> np.ndarray:
    """Compute one metric from totals.

    Args:
        metric: One of :data:`blastfold.core.names.METRICS`. ``weighted_f1`` is the mean of the F1
            of both classes weighted by their images (the ranking of the C-NMC challenge); ``auc``
            counts a tie as half a pair (Mann-Whitney).
        totals: Numbers of shape (..., 5) in the order of :data:`TOTALS`; weighted counts are
            allowed. Of n classes (..., n, 7), see
            :func:`blastfold.statistics.class_formulas.class_metric_values`.

    Returns:
        float64 of shape (...), a fraction (mcc: -1 to 1); NaN where the metric is undefined,
        see :func:`undefined_reason`.
    """
    totals = np.asarray(totals, dtype=np.float64)
    if totals.shape[-1] == len(CLASS_TOTALS):
        return class_metric_values(metric, totals)
    return _FORMULAS[metric](*np.moveaxis(totals, -1, 0))


def metric_bounds(metric: str) -> tuple[float, float]:
    """Return the smallest and the largest value a metric can take."""
    return ALL_METRIC_FACTS[metric].lower, 1.0


def undefined_reason(metric: str, totals: np.ndarray) -> str:
    """Return why a metric of one totals vector is undefined.

    Args:
        metric: One of :data:`blastfold.core.names.METRICS`.
        totals: Shape (5,), see :data:`TOTALS`, or (n, 7) of n classes.

    Returns:
        A stored note (see :mod:`blastfold.core.notes`), empty where the metric is defined.
    """
    if np.ndim(totals) == 2:
        return undefined_class_reason(metric, totals)
    if not np.isnan(metric_values(metric, totals)):
        return ""
    true_negative, false_positive, false_negative, true_positive = totals[:4]
    if not np.any(totals[:4]):
        return make_note("no_images")
    needs_both_classes = metric in BOTH_CLASSES
    if true_positive + false_negative == 0 and (needs_both_classes or metric == "sensitivity"):
        return make_note("no_positive_image")
    if true_negative + false_positive == 0 and (needs_both_classes or metric == "specificity"):
        return make_note("no_negative_image")
    if metric == "mcc":
        return make_note("one_class_predicted")
    if metric == "f1":
        return make_note("no_positive_image_and_none_predicted")
    return make_note("none_predicted_positive")


def proportion_counts(metric: str, totals: np.ndarray) -> tuple[float, float]:
    """Return numerator and denominator of one of :data:`blastfold.core.names.PROPORTIONS`.

    Args:
        metric: One of :data:`blastfold.core.names.PROPORTIONS`.
        totals: Shape (5,), see :data:`TOTALS`, or (n, 7) of n classes.
    """
    if np.ndim(totals) == 2:
        images = float(totals[0, :4].sum())
        return float(metric_values(metric, totals)) * images, images
    true_negative, false_positive, false_negative, true_positive = totals[:4]
    return {
        "accuracy": (true_positive + true_negative, totals[:4].sum()),
        "sensitivity": (true_positive, true_positive + false_negative),
        "specificity": (true_negative, true_negative + false_positive),
        "precision": (true_positive, true_positive + false_positive),
    }[metric]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    result = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    return np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)


def _accuracy(true_negative, false_positive, false_negative, true_positive, _pairs):
    correct = true_positive + true_negative
    return _ratio(correct, correct + false_positive + false_negative)


def _sensitivity(_true_negative, _false_positive, false_negative, true_positive, _pairs):
    return _ratio(true_positive, true_positive + false_negative)


def _specificity(true_negative, false_positive, _false_negative, _true_positive, _pairs):
    return _ratio(true_negative, true_negative + false_positive)


def _auc(true_negative, false_positive, false_negative, true_positive, ordered_pairs):
    positives, negatives = true_positive + false_negative, true_negative + false_positive
    return _ratio(ordered_pairs, positives * negatives)


def _precision(_true_negative, false_positive, _false_negative, true_positive, _pairs):
    return _ratio(true_positive, true_positive + false_positive)


def _f1(_true_negative, false_positive, false_negative, true_positive, _pairs):
    return _ratio(2 * true_positive, 2 * true_positive + false_positive + false_negative)


def _weighted_f1(true_negative, false_positive, false_negative, true_positive, _pairs):
    errors = false_positive + false_negative
    positives, negatives = true_positive + false_negative, true_negative + false_positive
    # A class without images has weight 0, so that its undefined F1 does not matter.
    positive_f1 = np.nan_to_num(_ratio(2 * true_positive, 2 * true_positive + errors))
    negative_f1 = np.nan_to_num(_ratio(2 * true_negative, 2 * true_negative + errors))
    return _ratio(positives * positive_f1 + negatives * negative_f1, positives + negatives)


def _balanced_accuracy(true_negative, false_positive, false_negative, true_positive, _pairs):
    sensitivity = _ratio(true_positive, true_positive + false_negative)
    return (sensitivity + _ratio(true_negative, true_negative + false_positive)) / 2


def _mcc(true_negative, false_positive, false_negative, true_positive, _pairs):
    margins = (
        (true_positive + false_positive)
        * (true_positive + false_negative)
        * (true_negative + false_positive)
        * (true_negative + false_negative)
    )
    product = true_positive * true_negative - false_positive * false_negative
    return _ratio(product, np.sqrt(np.maximum(margins, 0)))


_FORMULAS: dict[str, Callable[..., np.ndarray]] = {
    "accuracy": _accuracy,
    "sensitivity": _sensitivity,
    "specificity": _specificity,
    "auc": _auc,
    "precision": _precision,
    "f1": _f1,
    "weighted_f1": _weighted_f1,
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _mcc,
}
