"""What a prediction means at a stated prevalence: predictive values with intervals."""

from typing import NamedTuple

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.notes import make_note


class Rate(NamedTuple):
    """A sensitivity or a specificity with its interval, as fractions; NaN where undefined."""

    value: float
    lower: float
    upper: float


class PredictiveValue(NamedTuple):
    """A predictive value with its interval, as fractions; NaN with a note where undefined."""

    value: float
    lower: float
    upper: float
    note: str


def positive_predictive_value(
    sensitivity: Rate, specificity: Rate, prevalence: float
) -> PredictiveValue:
    """Compute the share of diseased among those who are predicted as positive.

    Bayes' theorem: 1 / (1 + ratio * odds against the disease), where the ratio is that of false to
    true positive rate. The interval is that of the ratio of two independent rates (MOVER-R: Donner
    and Zou 2012, Closed-form confidence intervals for functions of the normal mean and standard
    deviation, Statistical Methods in Medical Research 21, 347-359), so that it needs nothing but
    the intervals of both rates and exists for rates of 0 and 1.

    Args:
        sensitivity: With its interval.
        specificity: With its interval.
        prevalence: Share of diseased where the model is to be used, between 0 and 1.

    Raises:
        InputError: For a prevalence outside 0 to 1.
    """
    odds = _odds_against(prevalence)
    false_positive = _complement(specificity)
    return _from_ratio(false_positive, sensitivity, odds, make_note("none_predicted_positive"))


def negative_predictive_value(
    sensitivity: Rate, specificity: Rate, prevalence: float
) -> PredictiveValue:
    """Compute the share of healthy among those who are predicted as negative.

    Args:
        sensitivity: With its interval.
        specificity: With its interval.
        prevalence: See :func:`positive_predictive_value`.

    Raises:
        InputError: For a prevalence outside 0 to 1.
    """
    odds = 1 / _odds_against(prevalence)
    false_negative = _complement(sensitivity)
    return _from_ratio(false_negative, specificity, odds, make_note("none_predicted_negative"))


def _odds_against(prevalence: float) -> float:
    if not 0 < prevalence < 1:
        raise InputError(f"prevalence must be between 0 and 1, got {prevalence}")
    return (1 - prevalence) / prevalence


def _complement(rate: Rate) -> Rate:
    return Rate(1 - rate.value, 1 - rate.upper, 1 - rate.lower)


def _from_ratio(first: Rate, second: Rate, odds: float, empty: str) -> PredictiveValue:
    if np.isnan(first.value) or np.isnan(second.value):
        return PredictiveValue(np.nan, np.nan, np.nan, make_note("rates_undefined"))
    if first.value == 0 and second.value == 0:
        return PredictiveValue(np.nan, np.nan, np.nan, empty)
    value = 1 / (1 + odds * first.value / second.value) if second.value > 0 else 0.0
    if np.isnan([*first, *second]).any():
        return PredictiveValue(value, np.nan, np.nan, make_note("no_interval"))
    smallest, largest = _ratio_limits(first, second)
    return PredictiveValue(value, 1 / (1 + odds * largest), 1 / (1 + odds * smallest), "")


def _ratio_limits(first: Rate, second: Rate) -> tuple[float, float]:
    """Return the MOVER-R limits of first / second; the upper one may be infinite."""
    product = first.value * second.value
    below = first.lower * (2 * first.value - first.lower)
    above = first.upper * (2 * first.value - first.upper)
    largest = second.upper * (2 * second.value - second.upper)
    smallest = second.lower * (2 * second.value - second.lower)
    lower, upper = 0.0, np.inf
    if largest != 0:
        lower = (product - np.sqrt(max(product**2 - below * largest, 0.0))) / largest
    elif product > 0:
        lower = below / (2 * product)
    # Where the second rate may be 0 the ratio has no upper limit.
    if smallest > 0:
        upper = (product + np.sqrt(max(product**2 - above * smallest, 0.0))) / smallest
    return max(lower, 0.0), upper
