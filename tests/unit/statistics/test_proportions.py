"""Intervals of a proportion against statsmodels'."""

import pytest
from statsmodels.stats.proportion import proportion_confint

from blastfold.statistics.proportions import (
    exact_interval,
    wilson_interval,
    wilson_interval_of_tails,
)

COUNTS = [(0, 1), (1, 1), (0, 12), (5, 12), (12, 12), (3.7, 11.2), (1e-9, 2), (999, 1000)]


@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("hits", "trials"), COUNTS)
def test_intervals_are_those_of_statsmodels(hits, trials, level):
    wilson = proportion_confint(hits, trials, alpha=1 - level, method="wilson")
    assert wilson_interval(hits, trials, level) == pytest.approx(wilson, abs=1e-14)
    assert wilson_interval_of_tails(hits, trials, 1 - level) == pytest.approx(wilson, abs=1e-14)
    exact = proportion_confint(hits, trials, alpha=1 - level, method="beta")
    assert exact_interval(hits, trials, level) == pytest.approx(exact, abs=1e-12)


def test_wilson_intervals_of_several_proportions():
    lower, upper = wilson_interval([0, 5], [4, 12], 0.9)
    expected = proportion_confint([0, 5], [4, 12], alpha=0.1, method="wilson")
    assert lower == pytest.approx(expected[0])
    assert upper == pytest.approx(expected[1])
