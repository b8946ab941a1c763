"""Intervals of the share of positive cells over photographs."""

import math

import numpy as np
import pytest
from scipy import stats

from blastfold.smears.shares import share_interval


def test_photographs_of_one_size_give_the_interval_of_the_worked_example():
    # Four photographs of ten cells with 2, 4, 6 and 8 positive ones: the share is 0.5, its standard
    # error over photographs sd(0.2, 0.4, 0.6, 0.8) / 2 = 0.1291, with 3 degrees of freedom.
    positive = np.concatenate([np.arange(10) < count for count in (2, 4, 6, 8)])
    found = share_interval(positive, np.repeat(list("abcd"), 10))
    number = 0.25 / (np.var([0.2, 0.4, 0.6, 0.8], ddof=1) / 4)
    # Wilson (1927) with the quantile of Student's t for the effective number of cells.
    quantile = stats.t.ppf(0.975, 3)
    reach = quantile / (1 + quantile**2 / number)
    reach *= math.sqrt(0.25 / number + quantile**2 / (4 * number**2))
    assert found.lower == pytest.approx(0.5 - reach, abs=1e-9)
    assert found.upper == pytest.approx(0.5 + reach, abs=1e-9)
    assert found.note == "few_groups:4"


def test_one_photograph_has_the_interval_of_independent_cells_and_a_note():
    found = share_interval(np.array([True, False, False, False, True]), ["a"] * 5)
    # Wilson's interval of 2 of 5 (Newcombe 1998 gives the formula): 0.1176 to 0.7693.
    assert found.lower == pytest.approx(0.1176, abs=1e-4)
    assert found.upper == pytest.approx(0.7693, abs=1e-4)
    assert found.note == "one_photograph"


def test_no_cell_has_no_interval_and_equal_photographs_have_an_exact_one():
    assert math.isnan(share_interval(np.zeros(0, bool), []).lower)
    none = share_interval(np.zeros(30, bool), np.repeat(list("abcde"), 6))
    # Clopper and Pearson (1934) of 0 in 5 photographs: 1 - 0.025 ** (1 / 5).
    assert none.lower == 0
    assert none.upper == pytest.approx(1 - 0.025**0.2, abs=1e-9)
    assert "exact_interval" in none.note
