"""Do two models predict the classes equally often? The test of Stuart and Maxwell, also by group.

McNemar's test of two classes asks whether two models predict the positive class equally often. Its
generalisation to n classes compares all n shares at once (Stuart 1955, A test for homogeneity of
the marginal distributions in a two-way classification; Maxwell 1970, Comparing the classification
of subjects by two independent judges).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc

from blastfold.core.notes import make_note


class MarginalTest(NamedTuple):
    """Test of equal marginal distributions.

    Attributes:
        statistic: Chi-square, or F of the test by group; NaN where undefined.
        freedom: Degrees of freedom: the number of shares that can differ.
        p_value: Two-sided; 1 where both predict every class equally often for each image.
        note: A stored note; empty where nothing is special.
    """

    statistic: float
    freedom: int
    p_value: float
    note: str


def stuart_maxwell(first: np.ndarray, second: np.ndarray, classes: int) -> MarginalTest:
    """Test the marginals of two models on independent images.

    Args:
        first: int64 (images,), index of the class that the first model predicts.
        second: int64 (images,), of the second model.
        classes: Number of classes. Those that neither model predicts, and parts of the classes
            between which no image changes, take degrees of freedom away.
    """
    moved = first != second
    steps = _steps(first[moved], second[moved], classes)
    if not moved.any():
        return MarginalTest(0.0, 0, 1.0, make_note("same_marginals"))
    statistic, freedom = _quadratic(steps.sum(axis=0), steps.T @ steps)
    return MarginalTest(statistic, freedom, float(chdtrc(freedom, statistic)), "")


def clustered_stuart_maxwell(
    first: np.ndarray, second: np.ndarray, classes: int, groups: Sequence
) -> MarginalTest:
    """Test the marginals of two models on images in groups.

    Hotelling's (1931) T-squared of the groups' sums: the differences of the shares are compared
    with what the groups show of their spread, as Obuchowski's (1998) test does for two classes. The
    F distribution allows for few groups.

    Args:
        first: As for :func:`stuart_maxwell`; with repeats one row per image and repeat.
        second: Of the second model.
        classes: Number of classes.
        groups: The group of every row.
    """
    index, names = pd.factorize(np.asarray(groups))
    sums = np.zeros((len(names), classes))
    np.add.at(sums, index, _steps(first, second, classes))
    if not sums.any():
        return MarginalTest(0.0, 0, 1.0, make_note("same_marginals"))
    number = len(names)
    statistic, freedom = _quadratic(sums.sum(axis=0), sums.T @ sums)
    if number <= freedom:
        note = make_note("test_needs_more_groups", number, freedom + 1)
        return MarginalTest(np.nan, freedom, np.nan, note)
    if number - statistic < 1e-9 * number:
        note = make_note("same_difference_in_every_group")
        return MarginalTest(np.nan, freedom, np.nan, note)
    ratio = (number - freedom) / freedom * statistic / (number - statistic)
    p_value = float(fdtrc(freedom, number - freedom, ratio))
    return MarginalTest(float(ratio), freedom, p_value, "")


def _steps(first: np.ndarray, second: np.ndarray, classes: int) -> np.ndarray:
    """Return +1 at the first model's class and -1 at the second's, 0 where equal, (rows, n)."""
    unit = np.eye(classes)
    return unit[first] - unit[second]


def _quadratic(total: np.ndarray, scatter: np.ndarray) -> tuple[float, int]:
    """Return the quadratic form of a sum in the inverse of its scatter, and the scatter's rank."""
    values, vectors = np.linalg.eigh(scatter)
    kept = values > 1e-9 * values[-1]
    along = vectors[:, kept].T @ total
    return float(np.sum(along**2 / values[kept])), int(kept.sum())
