"""Outcomes of tests, in words."""

import pytest

from blastfold.core.errors import BlastfoldError
from blastfold.reporting.verdicts import outcome_words


@pytest.mark.parametrize(
    ("outcome", "detectable", "words"),
    [
        ("first_higher", 0.1, "A better"),
        ("second_higher", 0.1, "B better"),
        ("undefined", float("nan"), "undefined"),
        ("no_difference", 0.1337, "no difference detected (detectable: 13.4 points)"),
        ("no_difference", 1.0, "no difference detected (too few groups to detect any)"),
        ("no_difference", float("nan"), "no difference detected"),
    ],
)
def test_outcomes_in_words(outcome, detectable, words):
    assert outcome_words(outcome, detectable, "A better", "B better") == words


def test_an_unknown_outcome_is_refused():
    with pytest.raises(BlastfoldError, match="outcome 'A better': expected one of first_higher"):
        outcome_words("A better", 0.1, "A better", "B better")
