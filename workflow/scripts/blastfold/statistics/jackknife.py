"""Spread of a metric between groups: delete-one-group jackknife with effective degrees of freedom.

With 5 to 15 subjects the intervals of a bootstrap of subjects are too narrow. The jackknife leaves
out one group after the other, and a t quantile allows for the small number of groups. The degrees
of freedom weigh a group by its contribution: subjects without a positive image carry no information
about sensitivity, and one subject with half of the images carries less than ten with a twentieth
each.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, stdtr, stdtrit

from blastfold.core.names import BOTH_CLASSES
from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.class_formulas import EVERY_CLASS
from blastfold.statistics.grouped import GroupedPredictions
from blastfold.statistics.metrics import metric_bounds, metric_values
from blastfold.statistics.proportions import exact_interval, wilson_interval_of_tails

FEW_GROUPS = 15
"""Intervals that rest on at most this many effective groups carry a warning."""

VALUE_POWER = 1.5
"""Half-way between independent and identical images of a group, for the value of a metric."""

DIFFERENCE_POWER = 1.0
"""For differences of two models, whose errors are symmetric, so that the t test is cautious."""

OVERLAP = 0.25
"""Share of the variance between groups that the interval of cross-validated networks adds.

A group is tested by networks that learnt from other groups, which are tested by networks that
learnt from it. Their likeness counts twice and shows once; it adds between nothing and the variance
between groups once more (:mod:`blastfold.statistics.procedure_variance`). A quarter of this bound
covers in simulations with training (docs/STATISTICS.md)."""

POWER = 0.8
"""Power of the smallest difference that could have been shown."""


@dataclass(frozen=True)
class Spread:
    """Standard error of a metric, or of a difference of metrics, over groups.

    Attributes:
        standard_error: Of the metric; 0 when no group changes it, NaN for a single group.
        degrees_of_freedom: Of its t distribution, at least 1; NaN for a single group.
        effective_groups: Number of equally large groups with the same information.
    """

    standard_error: float
    degrees_of_freedom: float
    effective_groups: float


def metric_spread(metric: str, grouped: GroupedPredictions) -> Spread:
    """Measure how much a metric varies with the groups.

    Args:
        metric: A name of ``metrics.METRICS``.
        grouped: The predictions.
    """
    deleted = metric_values(metric, grouped.totals_without_one())
    value = float(metric_values(metric, grouped.totals()))
    return spread(deleted - value, contributions(metric, grouped.counts))


def spread(changes: np.ndarray, parts: list[np.ndarray], size_power: float = VALUE_POWER) -> Spread:
    """Turn the changes of leaving groups out into a standard error.

    The changes are taken from the full value, not from their mean. This makes the jackknife
    conservative (Efron and Stein 1981). For a mean it then equals the CR3 cluster-robust variance
    (Bell and McCaffrey 2002).

    The variance of a group's sum grows with its images to a power between 1 (independent
    images; Kish 1965) and 2 (identical ones; Carter, Schnepel and Steigerwald 2017). Where a
    metric has a part from positives and one from negatives, or one from each class, the parts are
    joined as by Welch (1947) and Satterthwaite (1946).

    Args:
        changes: float64 (groups,), the value without a group minus the full value; NaN (the
            metric is undefined without the group) counts as no change.
        parts: One or more arrays (groups,) of how many images each group contributes, see
            :func:`contributions`.
        size_power: The power by which the degrees of freedom weigh the sizes of groups,
            :data:`VALUE_POWER` or :data:`DIFFERENCE_POWER`.

    Returns:
        The spread.
    """
    squares = np.nan_to_num(changes) ** 2
    together = np.sum(parts, axis=0)
    contributing = np.count_nonzero(together)
    if min(np.count_nonzero(part) for part in parts) < 2:
        return Spread(np.nan, np.nan, min(_effective_groups(part, size_power) for part in parts))
    standard_error = float(np.sqrt((contributing - 1) / contributing * squares.sum()))
    effective = _effective_groups(together, size_power)
    if len(parts) > 1 and squares.any():
        shares = np.array([part / part.sum() for part in parts])
        variances = (shares / np.maximum(shares.sum(axis=0), 1e-300) * squares).sum(axis=1)
        freedom = [max(_effective_groups(part, size_power) - 1, 1.0) for part in parts]
        joined = variances.sum() ** 2 / np.sum(variances**2 / np.array(freedom))
        # Groups with both classes are in both parts, which are then not independent.
        effective = min(effective, joined + 1)
    return Spread(standard_error, float(max(effective - 1, 1.0)), float(effective))


def contributions(metric: str, counts: np.ndarray) -> list[np.ndarray]:
    """Count the images by which each group contributes to a metric.

    Args:
        metric: A name of ``metrics.METRICS``.
        counts: (groups, 4) cells of the confusion matrix of every group, or (groups, n, 4) of n
            classes, each against the rest.

    Returns:
        Arrays (groups,): one, or one of the positives and one of the negatives where the metric
        needs both classes; of n classes one of each class where it needs every class.
    """
    if counts.ndim == 3:
        of_class = counts[:, :, 2:].sum(axis=2).T
        return list(of_class) if metric in EVERY_CLASS else [of_class.sum(axis=0)]
    negatives, positives = counts[:, :2].sum(axis=1), counts[:, 2:].sum(axis=1)
    if metric in BOTH_CLASSES:
        return [positives, negatives]
    return [
        {
            "sensitivity": positives,
            "specificity": negatives,
            "precision": counts[:, 1] + counts[:, 3],
            "f1": counts[:, 1:].sum(axis=1),
        }.get(metric, negatives + positives)
    ]


def bounded_interval(
    metric: str, value: float, measured: Spread, level: float
) -> tuple[float, float, str]:
    """Compute Wilson's score interval for the effective number of images, with a t quantile.

    Korn and Graubard (1998), Confidence intervals for proportions with small expected number
    of positive counts estimated from survey data; Dean and Pagano (2015) for Wilson's form:
    the effective number is value (1 - value) / standard error^2. Such an interval stays within
    the metric's bounds and is not symmetric near them.

    Args:
        metric: A name of ``metrics.METRICS``.
        value: The metric.
        measured: Its spread.
        level: Confidence level, for instance 0.95.

    Returns:
        Lower and upper end, and a note (empty where nothing is special). Where the groups do
        not differ at all (all images right, for instance), the exact interval of Clopper and
        Pearson (1934) for the effective number of groups.
    """
    low, high = metric_bounds(metric)
    share = (value - low) / (high - low)
    if np.isnan(measured.standard_error):
        return np.nan, np.nan, make_note("fewer_than_two_groups")
    if measured.standard_error < 1e-12 or not 0 < share < 1:
        lower, upper = exact_interval(
            share * measured.effective_groups, measured.effective_groups, level
        )
        note = make_note("exact_interval")
    else:
        quantile = stdtrit(measured.degrees_of_freedom, (1 + level) / 2)
        images = share * (1 - share) * ((high - low) / measured.standard_error) ** 2
        tails = 2 * ndtr(-quantile)
        lower, upper = wilson_interval_of_tails(share * images, images, tails)
        note = ""
    return float(low + (high - low) * lower), float(low + (high - low) * upper), note


def few_groups_note(effective_groups: float) -> str:
    """Return the warning for an interval that rests on few groups, or an empty string."""
    if effective_groups > FEW_GROUPS:
        return ""
    return make_note("few_groups", round(effective_groups, 1))


def _effective_groups(part: np.ndarray, size_power: float) -> float:
    weights = part**size_power
    return float(weights.sum() ** 2 / np.sum(weights**2)) if part.any() else 0.0


class JackknifeTest(NamedTuple):
    """A difference by the delete-one-group jackknife.

    Names as in :class:`blastfold.statistics.comparison.Comparison`.
    """

    lower: float
    upper: float
    p_value: float
    minimum_detectable: float
    note: str


def jackknife_test(
    difference: float, changes: np.ndarray, parts: list[np.ndarray], level: float
) -> JackknifeTest:
    """Test a difference by what leaving groups out changes.

    Args:
        difference: Of the metric, over all groups.
        changes: float64 (groups,), the difference without a group minus the difference.
        parts: What each group contributes, see :func:`contributions`.
        level: Confidence level.

    Returns:
        The interval and the test by the t distribution, NaN with a note where they are not
        defined.
    """
    measured = spread(changes, parts, DIFFERENCE_POWER)
    notes = [few_groups_note(measured.effective_groups)]
    undefined = (np.nan, np.nan, np.nan, np.nan)
    if math.isnan(difference):
        return JackknifeTest(*undefined, "")
    if math.isnan(measured.standard_error):
        notes.insert(0, make_note("fewer_than_two_groups"))
        return JackknifeTest(*undefined, join_notes(*notes))
    if measured.standard_error < 1e-12 and abs(difference) > 1e-12:
        notes.insert(0, make_note("same_difference_in_every_group"))
        return JackknifeTest(*undefined, join_notes(*notes))
    if measured.standard_error < 1e-12:
        notes.insert(0, make_note("unchanged_by_groups"))
        return JackknifeTest(0.0, 0.0, 1.0, np.nan, join_notes(*notes))
    return JackknifeTest(*difference_by_t(difference, measured, level), join_notes(*notes))


def difference_by_t(
    difference: float, measured: Spread, level: float
) -> tuple[float, float, float, float]:
    """Return a difference's limits, p value and detectable size by the t distribution.

    Args:
        difference: Of a metric.
        measured: Its spread over groups, with a standard error above 0.
        level: Confidence level.
    """
    error, freedom = measured.standard_error, measured.degrees_of_freedom
    reach = stdtrit(freedom, (1 + level) / 2) * error
    p_value = float(2 * stdtr(freedom, -abs(difference) / error))
    detectable = detectable_difference(measured, level)
    return difference - reach, difference + reach, p_value, detectable


def detectable_difference(measured: Spread, level: float) -> float:
    """Return the smallest difference that would have been shown with a power of 80 %.

    Bloom (1995), Minimum detectable effects, with the t distribution's quantiles.
    """
    quantiles = stdtrit(measured.degrees_of_freedom, ((1 + level) / 2, POWER))
    return float(quantiles.sum() * measured.standard_error)
