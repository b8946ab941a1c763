"""Shares, enlarged maps, rank correlations and grouped means against worked examples and SciPy."""

import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr, t

from blastfold.statistics.attribution import (
    areas_between,
    enlarge,
    mean_over_groups,
    rank_correlations,
    shares_on_cell,
)


@pytest.mark.parametrize("size", [(40, 40), (13, 31), (4, 6)])
def test_maps_are_enlarged_as_by_opencv(size):
    maps = np.random.default_rng(0).random((3, 4, 6)).astype("float32")
    expected = [cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR) for one in maps]
    assert enlarge(maps, size) == pytest.approx(np.stack(expected), abs=1e-5)


def test_the_share_on_a_cell_is_that_of_its_pixels():
    attribution = np.array([[[1.0, 2], [3, 4]], [[0, 0], [0, 0]], [[5, 5], [5, 5]]])
    masks = np.array([[[True, False], [False, True]]] * 2 + [[[False, False], [False, False]]])
    shares = shares_on_cell(attribution, masks)
    assert shares[0] == 0.5
    assert np.isnan(shares[1])
    assert shares[2] == 0


def test_the_area_between_two_curves_is_that_of_its_trapezia():
    # From (0, 0) to (0.5, 1) to (1, 0) minus 0, and the same turned round.
    curves = np.array([[[0, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 0]]])
    assert areas_between(curves, [0, 0.5, 1]).tolist() == [0.5, -0.5]


def test_rank_correlations_are_those_of_scipy():
    first, second = np.random.default_rng(1).integers(0, 5, (2, 4, 3, 3)).astype(float)
    second[3] = 2
    found = rank_correlations(first, second)
    expected = [
        spearmanr(*pair).statistic
        for pair in zip(first[:3].reshape(3, -1), second[:3].reshape(3, -1), strict=True)
    ]
    assert found[:3] == pytest.approx(expected)
    assert np.isnan(found[3])


def test_a_mean_of_equal_groups_has_the_t_interval_of_their_means():
    values = np.random.default_rng(2).random(20)
    groups = np.repeat(np.arange(5), 4)
    mean = mean_over_groups(values, np.ones(20), groups)
    of_groups = values.reshape(5, 4).mean(axis=1)
    # The jackknife about the full mean is the usual interval of the groups' means.
    reach = t.ppf(0.975, 4) * of_groups.std(ddof=1) / np.sqrt(5)
    assert mean.value == pytest.approx(values.mean())
    assert (mean.lower, mean.upper) == pytest.approx((values.mean() - reach, values.mean() + reach))
    assert mean.note == "few_groups:5"
    bounded = mean_over_groups(values, np.ones(20), groups, (0.5, 0.55))
    assert (bounded.lower, bounded.upper) == (0.5, 0.55)


def test_a_weight_counts_as_so_many_cells():
    values, groups = np.array([1.0, 2, 4, 8]), np.array(["a", "a", "b", "c"])
    mean = mean_over_groups(values, np.array([1.0, 3, 1, 2]), groups)
    again = mean_over_groups(
        np.array([1.0, 2, 2, 2, 4, 8, 8]), np.ones(7), np.array(list("aaaabcc"))
    )
    assert mean.value == pytest.approx(again.value)
    assert mean.value == pytest.approx((1 + 6 + 4 + 16) / 7)


def test_one_group_and_no_cell_have_no_interval():
    mean = mean_over_groups(np.array([1.0, 3]), np.ones(2), np.array(["a", "a"]))
    assert mean.value == 2
    assert np.isnan([mean.lower, mean.upper]).all()
    assert mean.note == "fewer_than_two_groups"
    nothing = mean_over_groups(np.empty(0), np.empty(0), np.empty(0))
    assert np.isnan(nothing.value)
    assert nothing.note == "no_attribution"
