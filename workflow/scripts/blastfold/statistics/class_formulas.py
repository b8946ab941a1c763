"""Metrics over more than two classes, computed from one-against-rest totals.

The totals of every class are those of two classes, the class against the rest, where an image
counts as predicted when the class is its most probable one. All confusion cells of these n tables
give the margins of the n x n confusion matrix, from which all metrics here follow. Two further
sums are taken over the images of a class: of squared distances, for grades, and of images whose
class is among the two most probable ones.
"""

from collections.abc import Callable

import numpy as np

from blastfold.core.names import CELLS, CLASS_METRIC_FACTS, MACRO_AUC, QUADRATIC_KAPPA, TOP_TWO
from blastfold.core.notes import make_note

CLASS_TOTALS = (*CELLS, "ordered_pairs", "squared_distance", "within_two")
"""Names of the last axis of the totals of n classes, (..., n, 7); the last two are sums over the
images of the row's class."""

EVERY_CLASS = tuple(name for name, metric in CLASS_METRIC_FACTS.items() if metric.both_classes)
"""Metrics that give every class the same weight, and so need images of every class."""


def class_metric_values(metric: str, totals: np.ndarray) -> np.ndarray:
    """Compute one metric over all classes from totals.

    Args:
        metric: One of :data:`FORMULAS`. ``kappa`` is Cohen's (1960), ``quadratic_kappa`` weighs an
            error by the squared distance of the classes in their order (Cohen 1968), ``mcc`` is
            that of Gorodkin (2004), ``macro_auc`` the mean of the one-against-rest AUCs, a tie
            counting half.
        totals: Numbers of shape (..., n, 7) in the order of :data:`CLASS_TOTALS`; weighted counts
            are allowed.

    Returns:
        float64 of shape (...); NaN where the metric is undefined: metrics of
        :data:`EVERY_CLASS` without images of a class, kappa and mcc where all images are of one
        class or predicted as one.
    """
    return FORMULAS[metric](np.asarray(totals, dtype=np.float64))


def undefined_class_reason(metric: str, totals: np.ndarray) -> str:
    """Return why a metric over all classes is undefined, as a stored note.

    Args:
        metric: One of :data:`FORMULAS`.
        totals: Shape (n, 7), see :data:`CLASS_TOTALS`.

    Returns:
        The note; empty where the metric is defined.
    """
    if not np.isnan(class_metric_values(metric, totals)):
        return ""
    true, _, images = _margins(np.asarray(totals, dtype=np.float64))
    if images == 0:
        return make_note("no_images")
    if metric in EVERY_CLASS:
        return make_note("classes_without_images", int((true == 0).sum()), len(true))
    if np.count_nonzero(true) < 2:
        return make_note("one_class")
    return make_note("one_class_predicted")


def _margins(totals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return true and predicted images of each class (..., n), and the number of images (...)."""
    true_negative, false_positive, false_negative, true_positive = np.moveaxis(totals, -1, 0)[:4]
    true, called = true_positive + false_negative, true_positive + false_positive
    return true, called, true[..., 0] + (true_negative + false_positive)[..., 0]


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    result = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    return np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)


def _accuracy(totals: np.ndarray) -> np.ndarray:
    return _ratio(totals[..., 3].sum(axis=-1), _margins(totals)[2])


def _balanced_accuracy(totals: np.ndarray) -> np.ndarray:
    return _ratio(totals[..., 3], _margins(totals)[0]).mean(axis=-1)


def _macro_f1(totals: np.ndarray) -> np.ndarray:
    true, called, _ = _margins(totals)
    # An image that is wrongly predicted as an absent class is no reason to count the class as 0.
    return np.where(true > 0, _ratio(2 * totals[..., 3], true + called), np.nan).mean(axis=-1)


def _weighted_f1(totals: np.ndarray) -> np.ndarray:
    true, called, images = _margins(totals)
    # A class without images has weight 0, so that its undefined F1 does not matter.
    of_class = np.nan_to_num(_ratio(2 * totals[..., 3], true + called))
    return _ratio((true * of_class).sum(axis=-1), images)


def _kappa(totals: np.ndarray) -> np.ndarray:
    true, called, images = _margins(totals)
    by_chance = (true * called).sum(axis=-1)
    return _ratio(totals[..., 3].sum(axis=-1) * images - by_chance, images**2 - by_chance)


def _quadratic_kappa(totals: np.ndarray) -> np.ndarray:
    true, called, images = _margins(totals)
    grade = np.arange(true.shape[-1], dtype=np.float64)
    by_chance = images * ((true + called) @ grade**2) - 2 * (true @ grade) * (called @ grade)
    return 1 - _ratio(totals[..., 5].sum(axis=-1) * images, by_chance)


def _mcc(totals: np.ndarray) -> np.ndarray:
    true, called, images = _margins(totals)
    product = totals[..., 3].sum(axis=-1) * images - (true * called).sum(axis=-1)
    of_true = images**2 - (true**2).sum(axis=-1)
    of_called = images**2 - (called**2).sum(axis=-1)
    return _ratio(product, np.sqrt(np.maximum(of_true * of_called, 0)))


def _macro_auc(totals: np.ndarray) -> np.ndarray:
    true, _, images = _margins(totals)
    return _ratio(totals[..., 4], true * (images[..., np.newaxis] - true)).mean(axis=-1)


def _top_two(totals: np.ndarray) -> np.ndarray:
    return _ratio(totals[..., 6].sum(axis=-1), _margins(totals)[2])


FORMULAS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "macro_f1": _macro_f1,
    "weighted_f1": _weighted_f1,
    "kappa": _kappa,
    QUADRATIC_KAPPA: _quadratic_kappa,
    "mcc": _mcc,
    MACRO_AUC: _macro_auc,
    TOP_TWO: _top_two,
}
"""The metrics that follow from totals, by name."""
