"""Corners of the curves over all thresholds, in the order of scikit-learn's functions.

scikit-learn is not used for them: its import takes longer than the evaluation of a model.
"""

from typing import NamedTuple

import numpy as np


class RocCorners(NamedTuple):
    """Corners of a ROC from (0, 0) to (1, 1); of points on one line the outer ones alone.

    Attributes:
        false_positive_rate: float64 (corners,).
        true_positive_rate: float64 (corners,).
        threshold: float64 (corners,), from infinity down; an image at it counts as positive.
    """

    false_positive_rate: np.ndarray
    true_positive_rate: np.ndarray
    threshold: np.ndarray


class PrecisionRecallCorners(NamedTuple):
    """Points of a precision-recall curve, from the lowest threshold to the last point (0, 1).

    Attributes:
        precision: float64 (thresholds + 1,); the last one is 1.
        recall: float64 (thresholds + 1,); the last one is 0.
        threshold: float64 (thresholds,), increasing; an image at it counts as positive.
    """

    precision: np.ndarray
    recall: np.ndarray
    threshold: np.ndarray


def roc_corners(label: np.ndarray, probability: np.ndarray) -> RocCorners:
    """Return the corners of a ROC (Fawcett 2006, An introduction to ROC analysis, section 5).

    Args:
        label: (images,) of 0 and 1, both of them present.
        probability: (images,) of the label 1.
    """
    false, true, threshold = _counts_from_highest(label, probability)
    # A point between two others on one line is no corner: both counts grow as before.
    bends = (np.diff(false, 2) != 0) | (np.diff(true, 2) != 0)
    corner = np.concatenate([[True], bends, [True]])[-len(false) :]
    false, true = np.append(0.0, false[corner]), np.append(0.0, true[corner])
    return RocCorners(false / false[-1], true / true[-1], np.append(np.inf, threshold[corner]))


def precision_recall_corners(label: np.ndarray, probability: np.ndarray) -> PrecisionRecallCorners:
    """Return the points of a precision-recall curve.

    Args:
        label: (images,) of 0 and 1, with at least one 1.
        probability: (images,) of the label 1.
    """
    false, true, threshold = _counts_from_highest(label, probability)
    precision, recall = true / (true + false), true / true[-1]
    return PrecisionRecallCorners(
        np.append(precision[::-1], 1.0), np.append(recall[::-1], 0.0), threshold[::-1]
    )


def average_precision(precision: np.ndarray, recall: np.ndarray) -> float:
    """Return the mean precision over the recall, without interpolation.

    Args:
        precision: See :class:`PrecisionRecallCorners`.
        recall: The same.
    """
    return float(-np.sum(np.diff(recall) * precision[:-1]))


def _counts_from_highest(label: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, ...]:
    """Count negative and positive images at or above every probability, from the highest one."""
    order = np.argsort(probability, kind="stable")[::-1]
    label, probability = np.asarray(label)[order], np.asarray(probability)[order]
    last = np.append(np.flatnonzero(np.diff(probability)), len(label) - 1)
    true = np.cumsum(label, dtype="float64")[last]
    return last + 1 - true, true, probability[last]
