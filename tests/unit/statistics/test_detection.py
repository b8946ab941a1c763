"""Shares over photographs: against a worked jackknife, and at the ends."""

import numpy as np
import pytest
from scipy import stats

from blastfold.statistics.detection import share_over_photographs


def test_a_share_is_a_ratio_of_sums_whose_interval_is_a_jackknife_of_photographs():
    found, known = np.array([3, 1, 4, 2, 0, 5]), np.array([4, 1, 4, 4, 1, 6])
    share = share_over_photographs(found, known)
    assert share.value == 15 / 20
    # Leaving out one photograph after another, written out.
    without = np.array([(15 - f) / (20 - k) for f, k in zip(found, known, strict=True)])
    error = np.sqrt(5 / 6 * ((without - 0.75) ** 2).sum())
    weights = known**1.5
    groups = weights.sum() ** 2 / (weights**2).sum()
    quantile = stats.t.ppf(0.975, groups - 1)
    # Wilson's interval of as many cells as give this error.
    cells = 0.75 * 0.25 / error**2
    middle = (0.75 + quantile**2 / (2 * cells)) / (1 + quantile**2 / cells)
    reach = quantile / (1 + quantile**2 / cells)
    reach *= np.sqrt(0.75 * 0.25 / cells + quantile**2 / (4 * cells**2))
    assert (share.lower, share.upper) == pytest.approx((middle - reach, middle + reach), abs=1e-9)
    assert share.note.startswith("few_groups")


def test_all_found_has_an_exact_interval_of_photographs():
    share = share_over_photographs(np.ones(40), np.ones(40))
    lower = stats.beta.ppf(0.025, 40, 1)
    assert share == (1.0, pytest.approx(lower), 1.0, "exact_interval")


def test_one_photograph_or_none_has_no_interval():
    assert np.isnan(share_over_photographs(np.zeros(0), np.zeros(0)).value)
    alone = share_over_photographs(np.array([2, 0]), np.array([3, 0]))
    assert alone.value == 2 / 3
    assert np.isnan(alone.lower)
    assert "fewer_than_two_groups" in alone.note
