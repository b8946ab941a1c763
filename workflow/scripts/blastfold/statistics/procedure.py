"""Intervals and tests about a training procedure: other seeds, splits and training subjects too.

There are two targets. *Networks*: these trained networks on new subjects. *Procedure*: what
the same training would give with other training subjects of this number, other splits and other
seeds. Verdicts need the second. docs/STATISTICS.md explains the parts of the variance in words, and
``tests/benchmarks/test_procedure_simulation.py`` measures coverage, error rate and power.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.jackknife import Spread, bounded_interval
from blastfold.statistics.power import detectable_multiple
from blastfold.statistics.procedure_variance import Variance, unpaired_variance, variance
from blastfold.statistics.repeated import Summary, repeated_scores, subtract, summarise

_NOTHING = 1e-12


@dataclass(frozen=True)
class Estimate:
    """A metric of a training procedure with an interval for each target.

    Attributes:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        value: Mean over repeats.
        networks_lower: Lower end of the interval for these networks on new subjects.
        networks_upper: Its upper end.
        lower: Lower end of the interval for the procedure.
        upper: Its upper end.
        repeats: Number of repeats.
        folds: Number of folds of a repeat.
        images: Number of images.
        groups: Number of groups.
        note: Codes of :mod:`blastfold.core.notes`.
    """

    metric: str
    value: float
    networks_lower: float
    networks_upper: float
    lower: float
    upper: float
    repeats: int
    folds: float
    images: int
    groups: int
    note: str


@dataclass(frozen=True)
class Verdict:
    """The difference of a metric between two training procedures.

    Attributes:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        first: The first procedure's value.
        second: The second procedure's value.
        difference: First minus second.
        networks_lower: Lower end of the interval for these networks on new subjects.
        networks_upper: Its upper end.
        lower: Lower end of the interval for the procedures, at the level of one of ``family``.
        upper: Its upper end.
        p_value: Two-sided, not adjusted; NaN where there is no verdict on the procedures.
        minimum_detectable: Difference that the adjusted test detects with a power of 80 %.
        repeats: Number of repeats, the smaller one of two.
        groups: Number of groups.
        note: Codes of :mod:`blastfold.core.notes`.
    """

    metric: str
    first: float
    second: float
    difference: float
    networks_lower: float
    networks_upper: float
    lower: float
    upper: float
    p_value: float
    minimum_detectable: float
    repeats: int
    groups: int
    note: str


def estimate_procedure(
    metric: str,
    predictions: pd.DataFrame,
    groups: pd.Series | None = None,
    *,
    test_to_train: float | None = None,
    level: float = 0.95,
) -> Estimate:
    """Estimate a metric of a training procedure with both intervals.

    Args:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        predictions: Test predictions, see :func:`blastfold.statistics.repeated.repeated_scores`.
        groups: The group of every image, indexed by image_id, or None.
        test_to_train: Test images per training image of a fold; that of folds without a
            validation part when None.
        level: Confidence level.

    Returns:
        The estimate, with NaN and a note where something is undefined.
    """
    return estimate_summary(
        metric, summarise(metric, repeated_scores(predictions, groups)), test_to_train, level
    )


def estimate_summary(
    metric: str, summary: Summary, test_to_train: float | None = None, level: float = 0.95
) -> Estimate:
    """Return the estimate of a summary, see :func:`estimate_procedure`."""
    value, found = summary.value, variance(summary, test_to_train)
    ends, notes = [], [found.note]
    for part, freedom in (
        (found.networks, found.groups_freedom),
        (found.procedure, found.freedom),
    ):
        if np.isnan(value) or np.isnan(part):
            ends += [np.nan, np.nan]
            continue
        measured = Spread(float(np.sqrt(part)), freedom, found.effective_groups)
        lower, upper, note = bounded_interval(metric, value, measured, level)
        ends += [lower, upper]
        notes.append(note)
    if np.isnan(value):
        notes = [make_note("undefined")]
    notes.append(_left_out(summary))
    sizes = (summary.repeats, summary.folds, summary.images, len(summary.names))
    return Estimate(metric, value, *ends, *sizes, join_notes(*notes))


def compare_procedures(
    metric: str,
    first: pd.DataFrame,
    second: pd.DataFrame,
    groups: pd.Series | None = None,
    *,
    test_to_train: float | tuple[float, float] | None = None,
    level: float = 0.95,
    family: int = 1,
) -> Verdict:
    """Test whether two training procedures differ in a metric.

    Args:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        first: Test predictions of one, see
            :func:`blastfold.statistics.repeated.repeated_scores`.
        second: Those of the other. Repeats of the same folds are paired; repeats of other
            folds are not, but their groups are.
        groups: The group of every image, indexed by image_id, or None.
        test_to_train: As in :func:`estimate_procedure`, for both or for each.
        level: Simultaneous confidence level of the family.
        family: Number of comparisons that are declared together. The interval has the level
            1 - (1 - level) / family (Bonferroni; Dunn 1961), so that it excludes 0 exactly where
            the adjusted p value is below 1 - level.

    Returns:
        The verdict, with NaN and a note where something is undefined.
    """
    sides = [repeated_scores(table, groups) for table in (first, second)]
    return compare_summaries(
        metric, *(summarise(metric, side) for side in sides), test_to_train, level, family,
        paired=_same_layout(first, second),
    )  # fmt: skip


def compare_summaries(
    metric: str,
    first: Summary,
    second: Summary,
    test_to_train: float | tuple[float, float] | None = None,
    level: float = 0.95,
    family: int = 1,
    *,
    paired: bool,
) -> Verdict:
    """Return the verdict on two summaries, see :func:`compare_procedures`."""
    ratios = test_to_train if isinstance(test_to_train, tuple) else (test_to_train,) * 2
    if paired:
        both = subtract(first, second)
        difference, found = both.value, variance(both, ratios[0], difference=True)
    else:
        difference = first.value - second.value
        found = unpaired_variance(first, second, ratios)
    repeats, groups = min(first.repeats, second.repeats), len({*first.names, *second.names})
    notes = [found.note, _left_out(first), _left_out(second)]
    ends = [np.nan] * 6
    if np.isnan(difference):
        notes = [make_note("undefined"), *notes[1:]]
    elif repeats and (_nothing_varies(found) or found.procedure == 0):
        bound = _unchanged(difference, found.effective_groups, level, family)
        ends = [*_reach(difference, found.effective_groups, 1 - level), *bound]
        notes.append(make_note("bound_of_equal_groups"))
    else:
        reach = _t_reach(found.networks, found.groups_freedom, 1 - level)
        ends[:2] = difference - reach, difference + reach
        ends[2:] = _test(difference, found, level, family)
    values = (first.value, second.value, float(difference))
    return Verdict(metric, *values, *ends, repeats, groups, join_notes(*notes))


def _nothing_varies(found: Variance) -> bool:
    return found.groups < _NOTHING and not found.repeats > _NOTHING


def _test(
    difference: float, found: Variance, level: float, family: int
) -> tuple[float, float, float, float]:
    """Return limits, p value and detectable difference by the t distribution."""
    if np.isnan(found.procedure):
        return np.nan, np.nan, np.nan, np.nan
    significance = (1 - level) / family
    error = float(np.sqrt(found.procedure))
    reach = _t_reach(found.procedure, found.freedom, significance)
    p_value = float(2 * stdtr(found.freedom, -abs(difference) / error))
    detectable = error * detectable_multiple(found.freedom, significance)
    return difference - reach, difference + reach, p_value, detectable


def _t_reach(variance: float, freedom: float, significance: float) -> float:
    return float(-stdtrit(freedom, significance / 2) * np.sqrt(variance))


def _unchanged(
    difference: float, effective_groups: float, level: float, family: int
) -> tuple[float, float, float, float]:
    """Return limits, p value and detectable difference where all groups agree.

    Hanley and Lippman-Hand (1983), If nothing goes wrong, is everything all right?: where none
    of n groups deviates, at most 1 - significance^(1/n) of all groups do (about 3 / n), and such a
    group has a difference from -1 to 1.
    """
    significance = (1 - level) / family
    limits = _reach(difference, effective_groups, significance)
    deviating = abs(difference) / (1 + abs(difference))
    p_value = float((1 - deviating) ** effective_groups)
    return *limits, p_value, float(1 - significance ** (1 / effective_groups))


def _reach(difference: float, effective_groups: float, significance: float) -> tuple[float, float]:
    share = 1 - significance ** (1 / effective_groups)
    centre = (1 - share) * difference
    return float(centre - share), float(centre + share)


def _same_layout(first: pd.DataFrame, second: pd.DataFrame) -> bool:
    keys = [key for key in ("repeat", "fold", "image_id") if key in first and key in second]
    if len(first) != len(second):
        return False
    return set(zip(*(first[key] for key in keys), strict=True)) == set(
        zip(*(second[key] for key in keys), strict=True)
    )


def _left_out(summary: Summary) -> str:
    return make_note("predictions_left_out", summary.left_out) if summary.left_out else ""
