"""Corners of curves against scikit-learn's."""

import numpy as np
import pytest
from sklearn import metrics

from blastfold.statistics.corners import average_precision, precision_recall_corners, roc_corners


def drawn(seed, images, steps):
    """Labels and probabilities; with few steps many probabilities are equal."""
    random = np.random.default_rng(seed)
    label = np.append([0, 1], random.integers(0, 2, images - 2))
    probability = random.integers(0, steps, images) / steps
    return label, probability


@pytest.mark.parametrize(
    ("images", "steps"), [(2, 1), (2, 10), (3, 2), (5, 3), (40, 4), (400, 50), (400, 10**9)]
)
@pytest.mark.parametrize("seed", range(5))
def test_corners_are_those_of_scikit_learn(seed, images, steps):
    label, probability = drawn(seed, images, steps)
    for found, expected in zip(
        roc_corners(label, probability), metrics.roc_curve(label, probability), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    points = precision_recall_corners(label, probability)
    for found, expected in zip(
        points, metrics.precision_recall_curve(label, probability), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    assert average_precision(points.precision, points.recall) == pytest.approx(
        metrics.average_precision_score(label, probability), abs=1e-12
    )


def test_a_worked_example():
    # From the highest probability: a blast, a normal cell and a blast that are equal, a normal one.
    found = roc_corners(np.array([0, 1, 0, 1]), np.array([0.1, 0.9, 0.5, 0.5]))
    assert found.false_positive_rate.tolist() == [0, 0, 0.5, 1]
    assert found.true_positive_rate.tolist() == [0, 0.5, 1, 1]
    assert found.threshold.tolist() == [np.inf, 0.9, 0.5, 0.1]
