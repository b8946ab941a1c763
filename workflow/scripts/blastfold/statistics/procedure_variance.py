"""The variance of a metric of a training procedure, and of the difference of two.

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

For the value of a metric at a threshold half of the overlap is taken: a threshold turns likeness
into right and wrong images, which are mutual only in part (chosen by simulation). Differences take
all of it, so that tests keep their level.

With one repeat of complete folds, each trained with seeds of its own, nothing measures the overlap.
A difference takes it at its bound, the variance between groups once more, and the larger of the
variance between groups and that between folds divided by their number. A value takes half of the
bound, and the variance between folds only where it is larger than chance explains (F test).
Repeated holdouts have the corrected resampled t (Nadeau and Bengio 2003), at least with the
variance between groups.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import fdtri

from blastfold.core.notes import join_notes, make_note, without_notes
from blastfold.statistics.jackknife import (
    DIFFERENCE_POWER,
    OVERLAP,
    VALUE_POWER,
    Spread,
    few_groups_note,
    spread,
)
from blastfold.statistics.repeated import RANKED, Summary

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
        overlap: What is added for the likeness of training and test groups.
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

        The overlap is in the networks' errors on the tested groups, and not in those on new
        groups. Half of it is in the middle between none and all.
        """
        return self.groups + self.overlap / 2


def variance(
    summary: Summary, test_to_train: float | None = None, *, difference: bool = False
) -> Variance:
    """Estimate the variances of a value or a difference.

    Args:
        summary: From :mod:`blastfold.statistics.repeated`.
        test_to_train: Test images per training image; 1 / (folds - 1) when None.
        difference: Whether the summary is a difference of two procedures.

    Returns:
        The variances; that of the procedure is NaN with a note where one training each says
        nothing about it.
    """
    measured = _between_groups(summary, VALUE_POWER if not difference else DIFFERENCE_POWER)
    groups = measured.standard_error**2
    facts = (groups, measured.degrees_of_freedom, measured.effective_groups)
    notes = [few_groups_note(measured.effective_groups)]
    if np.isnan(groups):
        note = make_note("fewer_than_two_groups")
        return Variance(*facts, np.nan, np.nan, np.nan, np.nan, note)
    ratio = test_to_train or 1 / max(summary.folds - 1, 1)
    if summary.complete and summary.repeats > 1:
        stable, overlap, between = _with_repeats(summary, groups, ratio)
        if not difference and summary.metric not in RANKED:
            overlap /= 2
        total, freedom = satterthwaite(
            (stable + overlap, measured.degrees_of_freedom), (between, summary.repeats - 1)
        )
        # Repeats of few images may agree by chance.
        total = total if total > _NOTHING else groups
        return Variance(*facts, overlap, between, total, freedom, join_notes(*notes))
    values = summary.fold_values[~np.isnan(summary.fold_values)]
    if len(values) < len(summary.fold_values) and len(values):
        notes.append(make_note("folds_left_out", len(summary.fold_values) - len(values)))
    if len(values) < FEWEST_FOLDS:
        notes.append(make_note("one_training_each"))
        overlap = groups if difference else 2 * OVERLAP * groups
        return Variance(*facts, overlap, np.nan, np.nan, np.nan, join_notes(*notes))
    notes.append(make_note("verdict_of_folds", len(values)))
    if not summary.complete:
        total = max((1 / len(values) + ratio) * float(values.var(ddof=1)), groups)
        return Variance(*facts, groups / 2, np.nan, total, len(values) - 1.0, join_notes(*notes))
    overlap = groups if difference else 2 * OVERLAP * groups
    found = _from_folds(values, measured, overlap, difference)
    return Variance(*facts, overlap, np.nan, *found, join_notes(*notes))


def _from_folds(
    values: np.ndarray, measured: Spread, overlap: float, difference: bool
) -> tuple[float, float]:
    """Return the variance of a procedure from one repeat, and its degrees of freedom."""
    groups, between = measured.standard_error**2, float(values.var(ddof=1)) / len(values)
    limit = groups
    if not difference:
        # Folds of few groups have a noisy AUC; only a clear excess is taken as due to seeds.
        limit *= fdtri(len(values) - 1, measured.degrees_of_freedom, 0.95)
    if between <= limit:
        return groups + overlap, measured.degrees_of_freedom
    return satterthwaite((overlap, measured.degrees_of_freedom), (between, len(values) - 1.0))


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


def _between_groups(summary: Summary, size_power: float) -> Spread:
    """Return the spread of the influences averaged over repeats."""
    defined = ~np.isnan(summary.values)
    mean = summary.influence[defined].mean(axis=0) if defined.any() else summary.influence.sum(0)
    contributing = np.count_nonzero(np.sum(summary.parts, axis=0))
    # The jackknife's change without a group, to first order.
    changes = -mean * contributing / max(contributing - 1, 1)
    return spread(changes, summary.parts, size_power)


def unpaired_variance(
    first: Summary, second: Summary, ratios: tuple[float | None, float | None]
) -> Variance:
    """Estimate the variance of a difference of procedures with other folds or images.

    The groups of both are the same subjects, so that their influences are subtracted where both
    have repeats of complete folds. Else the variances are added: as subjects make both sides
    better or worse together, the sum is cautious.
    """
    alone = [
        variance(side, ratio, difference=True)
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
        total, freedom = satterthwaite(*parts)
        facts = (groups, measured.degrees_of_freedom, measured.effective_groups)
        between = sum(side.repeats for side in alone)
        total = total if total > _NOTHING else groups
        return Variance(*facts, overlap, between, total, freedom, note)
    groups, groups_freedom = satterthwaite(*((side.groups, side.groups_freedom) for side in alone))
    total, freedom = satterthwaite(*((side.procedure, side.freedom) for side in alone))
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
        first.metric, first.value - second.value, np.zeros(1), np.zeros(0), influence,
        names.to_numpy(), parts, 0.0, False, False, first.images, 0,
    )  # fmt: skip


def _noise(summary: Summary) -> float:
    """Return what repeats add of their own to the variance between groups of their mean."""
    defined = ~np.isnan(summary.values)
    return float(summary.influence[defined].var(axis=0, ddof=1).sum()) / summary.repeats


def satterthwaite(*parts: tuple[float, float]) -> tuple[float, float]:
    """Add variances and join their degrees of freedom (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    if not total > 0:
        return total, min((freedom for _, freedom in parts), default=np.nan)
    return total, float(total**2 / sum(part**2 / freedom for part, freedom in parts))
