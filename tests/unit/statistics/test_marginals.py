"""Tests of equal marginals against statsmodels, Hotelling's T-squared and McNemar's test."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import SquareTable, mcnemar

from blastfold.core.notes import note_codes
from blastfold.statistics.marginals import clustered_stuart_maxwell, stuart_maxwell


def predicted(classes, images=300, seed=0):
    random = np.random.default_rng(seed)
    first = random.integers(classes, size=images)
    changed = random.random(images) < 0.3
    second = np.where(
        changed, np.minimum(random.integers(classes + 1, size=images), classes - 1), first
    )
    return first, second


def counts(first, second, classes):
    table = np.zeros((classes, classes))
    np.add.at(table, (first, second), 1)
    return table


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_stuart_maxwell_is_that_of_statsmodels(classes):
    first, second = predicted(classes)
    expected = SquareTable(counts(first, second, classes), shift_zeros=False).homogeneity()
    found = stuart_maxwell(first, second, classes)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert (found.freedom, found.p_value) == (expected.df, pytest.approx(expected.pvalue))


def test_two_classes_have_mcnemars_chi_square():
    first, second = predicted(2)
    expected = mcnemar(counts(first, second, 2), exact=False, correction=False)
    assert stuart_maxwell(first, second, 2).statistic == pytest.approx(expected.statistic)


def test_maxwells_psychiatrists():
    # Worked example: Fleiss, Levin and Paik (2003), table 13.7: schizophrenia, affective, other.
    table = np.array([[35, 5, 0], [15, 20, 5], [10, 5, 5]])
    first, second = (np.repeat(axis.ravel(), table.ravel()) for axis in np.indices((3, 3)))
    found = stuart_maxwell(first, second, 3)
    assert found.statistic == pytest.approx(14.0, abs=0.005)
    assert found.freedom == 2
    assert found.p_value < 0.001


def test_classes_that_nobody_predicts_take_degrees_of_freedom_away():
    first, second = predicted(3)
    assert stuart_maxwell(first, second, 7) == pytest.approx(stuart_maxwell(first, second, 3))


def test_by_group_it_is_hotellings_test():
    first, second = predicted(3, images=200, seed=4)
    groups = np.arange(200) // 10
    sums = np.zeros((20, 3))
    np.add.at(sums, groups, np.eye(3)[first] - np.eye(3)[second])
    sums = sums[:, :2]
    mean, covariance = sums.mean(axis=0), np.cov(sums.T)
    squared = 20 * mean @ np.linalg.solve(covariance, mean)
    ratio = (20 - 2) / (2 * 19) * squared
    found = clustered_stuart_maxwell(first, second, 3, groups)
    assert found.statistic == pytest.approx(ratio)
    assert found.p_value == pytest.approx(stats.f.sf(ratio, 2, 18))


def test_equal_and_too_few_groups_have_defined_results():
    first, second = predicted(4)
    same = clustered_stuart_maxwell(first, first, 4, np.arange(300))
    assert (same.p_value, note_codes(same.note)) == (1.0, {"same_marginals"})
    assert stuart_maxwell(first, first, 4).p_value == 1.0
    few = clustered_stuart_maxwell(first, second, 4, np.arange(300) // 150)
    assert np.isnan(few.p_value)
    assert note_codes(few.note) == {"test_needs_more_groups"}
    ones, zeros = np.ones(20, int), np.zeros(20, int)
    alike = clustered_stuart_maxwell(ones, zeros, 2, np.arange(20) // 2)
    assert np.isnan(alike.p_value)
    assert note_codes(alike.note) == {"same_difference_in_every_group"}
