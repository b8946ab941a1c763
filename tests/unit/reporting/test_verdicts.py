"""Outcomes of tests, in words."""

import pytest

from blastfold.core.errors import BlastfoldError
from blastfold.reporting.tables.writing import MINUS
from blastfold.reporting.verdicts import cost_share, cost_words, outcome_words


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


COMPARED = {
    **{"difference": -0.004, "difference_lower": -0.031, "difference_upper": 0.023},
    **{"minimum_detectable": 0.029, "outcome": "no_difference", "cost_ratio": 12.2},
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            f"as good as VGG19 within the interval (difference {MINUS}0.4 points "
            f"[{MINUS}3.1, +2.3]; detectable: 2.9 points), at 1/12 of its multiply-adds",
        ),
        # Nothing that small excludes a loss of more than five points.
        (
            {"difference_lower": -1.134, "difference": -0.391, "minimum_detectable": 0.942},
            f"no difference from VGG19 detected (difference {MINUS}39.1 points "
            f"[{MINUS}100.0, +2.3], cut at 100 points; detectable: 94.2 points), at 1/12 of its "
            "multiply-adds",
        ),
        (
            {"outcome": "second_higher", "difference_upper": -0.001, "cost_ratio": 2.04},
            f"worse than VGG19 (difference {MINUS}0.4 points [{MINUS}3.1, "
            f"{MINUS}0.1]; detectable: 2.9 points), at 1/2 of its multiply-adds",
        ),
        (
            {"outcome": "no_difference", "minimum_detectable": 1.2, "difference": 0.0001},
            f"as good as VGG19 within the interval (difference 0.0 points [{MINUS}3.1, "
            "+2.3]; too few groups to detect any), at 1/12 of its multiply-adds",
        ),
        (
            {"outcome": "no_verdict"},
            "no verdict on VGG19: one training each: no verdict on the procedures, at 1/12 of its "
            "multiply-adds",
        ),
    ],
)
def test_a_cheaper_model_is_described_with_the_interval_of_its_difference(changes, words):
    assert cost_words(COMPARED | changes, "VGG19") == words


def test_an_unknown_outcome_of_a_cheaper_model_is_refused():
    with pytest.raises(BlastfoldError, match="outcome 'equal'"):
        cost_words(COMPARED | {"outcome": "equal"}, "VGG19")


@pytest.mark.parametrize(
    ("ratio", "share"),
    [(12.4, "1/12"), (10, "1/10"), (9.96, "1/10"), (2.5, "1/2.5"), (2, "1/2"), (1.25, "80 %")],
)
def test_shares_of_a_cost(ratio, share):
    assert cost_share(ratio) == share
