"""Intervals and tests about a training procedure: other seeds, splits and training subjects too.

There are two targets. *Networks*: these trained networks on new subjects. *Procedure*: what
the same training would give with other training subjects of this number, other splits and other
seeds. Verdicts need the second. docs/STATISTICS.md explains the parts of the variance in words, and
``tests/benchmarks/test_procedure_simulation.py`` measures coverage, error rate and power.

With repeats the variance of a procedure is the sum of three parts:

* between groups, from the influences averaged over repeats, without the noise that repeats have
  of their own;
* the overlap: a group is tested by networks that learnt from other groups, and these are tested by
  networks that learnt from it. Both tests hold the same likeness of the two groups, so that its
  variance counts twice, while groups show it once (a U statistic of two groups; Hoeffding 1948;
  Fuchs, Hornung, De Bin and Boulesteix 2013). How much a group's influence varies from split to
  split estimates it; it is never more than the part between groups;
* between repeats: seeds and splits, divided by the number of repeats (Bouckaert and Frank 2004;
  Bouthillier et al. 2021).

With one repeat the folds give the variance (corrected resampled t; Nadeau and Bengio 2003).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from blastfold.core.notes import join_notes, make_note, without_notes
from blastfold.statistics.jackknife import (
    DIFFERENCE_POWER,
    Spread,
    bounded_interval,
    few_groups_note,
    spread,
)
from blastfold.statistics.power import detectable_multiple
from blastfold.statistics.repeated import Summary, repeated_scores, subtract, summarise

FEWEST_FOLDS = 3
"""A verdict from the folds of one training each needs at least this many."""

_NOTHING = 1e-12


@dataclass(frozen=True)
class Variance:
    """The variances of a value or a difference.

    Attributes:
        groups: Between groups, of these networks; NaN with fewer than two groups.
        groups_freedom: Its degrees of freedom.
        effective_groups: Number of equally large groups with the same information.
        overlap: What the groups do not show of the likeness of training and test groups.
        repeats: Between repeats, divided by their number; NaN with one repeat.
        procedure: Of the procedure; NaN where it cannot be estimated.
        freedom: Its degrees of freedom.
        note: Codes of :mod:`blastfold.core.notes`.
    """

    groups: float
    groups_freedom: float
    effective_groups: float
    overlap: float
    repeats: float
    procedure: float
    freedom: float
    note: str

    @property
    def networks(self) -> float:
        """Of these networks: between groups, and half of the overlap.

        The overlap is part of the networks' own errors where their training groups are like
        their test groups. Half of it is in the middle between none and all.
        """
        return self.groups + self.overlap / 2


@dataclass(frozen=True)
class Estimate:
    """A metric of a training procedure with an interval for each target.

    Attributes:
        metric: A name of :data:`blastfold.core.names.METRICS`.
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
        metric: A name of :data:`blastfold.core.names.METRICS`.
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
        metric: A name of :data:`blastfold.core.names.METRICS`.
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
        metric: A name of :data:`blastfold.core.names.METRICS`.
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
        difference, found = both.value, variance(both, ratios[0], DIFFERENCE_POWER)
    else:
        difference = first.value - second.value
        found = _unpaired_variance(first, second, ratios)
    repeats, groups = min(first.repeats, second.repeats), len({*first.names, *second.names})
    notes = [found.note, _left_out(first), _left_out(second)]
    ends = [np.nan] * 6
    if np.isnan(difference):
        notes = [make_note("undefined"), *notes[1:]]
    elif found.groups < _NOTHING and not found.repeats > _NOTHING and repeats:
        bound = _unchanged(difference, found.effective_groups, level, family)
        ends = [*_reach(difference, found.effective_groups, 1 - level), *bound]
        notes.append(make_note("bound_of_equal_groups"))
    else:
        reach = _t_reach(found.networks, found.groups_freedom, 1 - level)
        ends[:2] = difference - reach, difference + reach
        ends[2:] = _test(difference, found, level, family)
    values = (first.value, second.value, float(difference))
    return Verdict(metric, *values, *ends, repeats, groups, join_notes(*notes))


def variance(
    summary: Summary, test_to_train: float | None = None, size_power: float | None = None
) -> Variance:
    """Estimate the variances of a value or a difference.

    Args:
        summary: From :mod:`blastfold.statistics.repeated`.
        test_to_train: Test images per training image; 1 / (folds - 1) when None.
        size_power: See :func:`blastfold.statistics.jackknife.spread`.

    Returns:
        The variances; that of the procedure is NaN with a note where one training each says
        nothing about it.
    """
    measured = _between_groups(summary, size_power)
    groups = measured.standard_error**2
    facts = (groups, measured.degrees_of_freedom, measured.effective_groups)
    notes = [few_groups_note(measured.effective_groups)]
    if np.isnan(groups):
        note = make_note("fewer_than_two_groups")
        return Variance(*facts, np.nan, np.nan, np.nan, np.nan, note)
    ratio = test_to_train or 1 / max(summary.folds - 1, 1)
    if summary.complete and summary.repeats > 1:
        stable, overlap, between = _with_repeats(summary, groups, ratio)
        total, freedom = _satterthwaite(
            (stable + overlap, measured.degrees_of_freedom), (between, summary.repeats - 1)
        )
        return Variance(*facts, overlap, between, total, freedom, join_notes(*notes))
    values = summary.fold_values[~np.isnan(summary.fold_values)]
    if len(values) < len(summary.fold_values) and len(values):
        notes.append(make_note("folds_left_out", len(summary.fold_values) - len(values)))
    if len(values) < FEWEST_FOLDS:
        notes.append(make_note("one_training_each"))
        return Variance(*facts, groups, np.nan, np.nan, np.nan, join_notes(*notes))
    notes.append(make_note("verdict_of_folds", len(values)))
    corrected = (1 / len(values) + ratio) * float(values.var(ddof=1))
    total = max(corrected, groups)
    return Variance(*facts, groups, np.nan, total, len(values) - 1.0, join_notes(*notes))


def _with_repeats(summary: Summary, groups: float, ratio: float) -> tuple[float, float, float]:
    """Return the part between groups without noise, the overlap and the part between repeats."""
    defined = ~np.isnan(summary.values)
    repeats = summary.repeats
    within = float(summary.influence[defined].var(axis=0, ddof=1).sum())
    stable = max(groups - within / repeats, 0.0)
    between = float(summary.values[defined].var(ddof=1)) / repeats
    if summary.same_split or summary.folds < 2:
        # Nothing varies the training groups: only the bound is known.
        return stable, stable, between
    trained = min(1 / (summary.folds * ratio), 1 - 1 / summary.folds)
    # The likeness of a sample of groups varies by 1 - trained of what new groups would.
    return stable, min(within / (1 - trained), stable), between


def _between_groups(summary: Summary, size_power: float | None) -> Spread:
    """Return the spread of the influences averaged over repeats."""
    defined = ~np.isnan(summary.values)
    mean = summary.influence[defined].mean(axis=0) if defined.any() else summary.influence.sum(0)
    contributing = np.count_nonzero(np.sum(summary.parts, axis=0))
    # The jackknife's change without a group, to first order.
    changes = -mean * contributing / max(contributing - 1, 1)
    options = {} if size_power is None else {"size_power": size_power}
    return spread(changes, summary.parts, **options)


def _unpaired_variance(
    first: Summary, second: Summary, ratios: tuple[float | None, float | None]
) -> Variance:
    """Estimate the variance of a difference of procedures with other folds or images.

    The groups of both are the same subjects, so that their influences are subtracted where both
    have repeats of complete folds. Else the variances are added: as subjects make both sides
    better or worse together, the sum is cautious.
    """
    alone = [
        variance(side, ratio, DIFFERENCE_POWER)
        for side, ratio in zip((first, second), ratios, strict=True)
    ]
    note = join_notes(*_without_few(alone), make_note("other_folds"))
    joint = _joined(first, second)
    if all(side.complete and side.repeats > 1 for side in (first, second)):
        noise = sum(_noise(side) for side in (first, second))
        measured = _between_groups(joint, DIFFERENCE_POWER)
        groups = measured.standard_error**2
        stable = max(groups - noise, 0.0)
        overlap = min(sum(side.overlap for side in alone), stable)
        parts = [(stable + overlap, measured.degrees_of_freedom)]
        parts += [
            (one.repeats, side.repeats - 1.0)
            for one, side in zip(alone, (first, second), strict=True)
        ]
        total, freedom = _satterthwaite(*parts)
        facts = (groups, measured.degrees_of_freedom, measured.effective_groups)
        between = sum(side.repeats for side in alone)
        return Variance(*facts, overlap, between, total, freedom, note)
    groups, groups_freedom = _satterthwaite(*((side.groups, side.groups_freedom) for side in alone))
    total, freedom = _satterthwaite(*((side.procedure, side.freedom) for side in alone))
    effective = min(side.effective_groups for side in alone)
    overlap = sum(side.overlap for side in alone)
    return Variance(groups, groups_freedom, effective, overlap, np.nan, total, freedom, note)


def _without_few(alone: list[Variance]) -> list[str]:
    """Return the notes of both sides, with one warning of few groups."""
    few = few_groups_note(min(side.effective_groups for side in alone))
    return [few, *(without_notes(side.note, "few_groups") for side in alone)]


def _joined(first: Summary, second: Summary) -> Summary:
    """Return the difference of the mean influences, by the groups of both."""
    names = pd.Index(pd.unique(np.concatenate([first.names, second.names])))
    influence = np.zeros((1, len(names)))
    parts = [np.zeros(len(names)) for _ in first.parts]
    for sign, side in ((1, first), (-1, second)):
        places = names.get_indexer(side.names)
        defined = ~np.isnan(side.values)
        influence[0, places] += sign * side.influence[defined].mean(axis=0)
        for total, part in zip(parts, side.parts, strict=True):
            # As shares: a set of many images does not outweigh one of few.
            total[places] += part / max(part.sum(), 1)
    return Summary(
        first.value - second.value, np.zeros(1), np.zeros(0), influence, names.to_numpy(), parts,
        0.0, False, False, first.images, 0,
    )  # fmt: skip


def _noise(summary: Summary) -> float:
    """Return what repeats add of their own to the variance between groups of their mean."""
    defined = ~np.isnan(summary.values)
    return float(summary.influence[defined].var(axis=0, ddof=1).sum()) / summary.repeats


def _satterthwaite(*parts: tuple[float, float]) -> tuple[float, float]:
    """Add variances and join their degrees of freedom (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    if not total > 0:
        return total, min((freedom for _, freedom in parts), default=np.nan)
    return total, float(total**2 / sum(part**2 / freedom for part, freedom in parts))


def _test(
    difference: float, found: Variance, level: float, family: int
) -> tuple[float, float, float, float]:
    """Return limits, p value and detectable difference by the t distribution."""
    if np.isnan(found.procedure):
        return np.nan, np.nan, np.nan, np.nan
    significance = (1 - level) / family
    error = float(np.sqrt(found.procedure))
    reach = _t_reach(found.procedure, found.freedom, significance)
    p_value = float(2 * stats.t.sf(abs(difference) / error, found.freedom))
    detectable = error * detectable_multiple(found.freedom, significance)
    return difference - reach, difference + reach, p_value, detectable


def _t_reach(variance: float, freedom: float, significance: float) -> float:
    return float(stats.t.isf(significance / 2, freedom) * np.sqrt(variance))


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
