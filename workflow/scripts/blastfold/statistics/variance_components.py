"""Variance components of a result: how much seeds, splits and subjects each move it.

Bouthillier et al. (2021), Accounting for variance in machine learning benchmarks, section 2, take
the variance of a result apart by what is drawn again. Here:

* seeds: start weights, order of the batches, changes of the images, with the same folds;
* splits: other folds, in addition to other seeds;
* subjects: other test subjects, with the procedure as it is.

Repeats draw folds and seeds together. Where there are also repeats that keep the folds and draw
seeds alone, the two are separated as the variances between groups and within them are: one-way
random effects, estimated from the mean squares (Searle, Casella and McCulloch 1992, Variance
components, section 3.6, unequal numbers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from blastfold.core.names import SEEDS, SPLITS, SUBJECTS, TOGETHER
from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.jackknife import spread
from blastfold.statistics.repeated import Summary


@dataclass(frozen=True)
class Component:
    """One part of the variance of a metric.

    Attributes:
        component: One of :data:`blastfold.core.names.COMPONENTS`.
        variance: Of the result of one repeat, at least 0; NaN where it is not known.
        lower: Lower end of its interval; NaN where there is none.
        upper: Upper end.
        freedom: Degrees of freedom; NaN where there is no interval.
        note: Codes of :mod:`blastfold.core.notes`.
    """

    component: str
    variance: float
    lower: float
    upper: float
    freedom: float
    note: str


@dataclass(frozen=True)
class OneWay:
    """Mean squares of results in groups, and the variances that they estimate.

    Attributes:
        within: Variance between members of a group; NaN where no group has two.
        within_freedom: Its degrees of freedom.
        between: Variance between groups in addition, at least 0; NaN where it is not estimable.
        negative: Whether the estimate was below 0 and is set to 0.
    """

    within: float
    within_freedom: int
    between: float
    negative: bool


def one_way(groups: Sequence[np.ndarray]) -> OneWay:
    """Estimate the variances within and between groups of unequal size from the mean squares.

    Args:
        groups: Values of the members of each group, without NaN; empty groups are left out.
    """
    groups = [np.asarray(group, dtype=np.float64) for group in groups if len(group)]
    sizes = np.array([len(group) for group in groups], dtype=np.float64)
    total, number = sizes.sum(), len(groups)
    within_freedom = int(total) - number
    if within_freedom < 1:
        return OneWay(np.nan, 0, np.nan, negative=False)
    means = np.array([group.mean() for group in groups])
    squares = sum(((group - group.mean()) ** 2).sum() for group in groups)
    within = float(squares / within_freedom)
    if number < 2:
        return OneWay(within, within_freedom, np.nan, negative=False)
    grand = float(sizes @ means / total)
    between_square = float(sizes @ (means - grand) ** 2 / (number - 1))
    size = (total - (sizes**2).sum() / total) / (number - 1)
    between = (between_square - within) / size
    return OneWay(within, within_freedom, max(float(between), 0.0), negative=bool(between < 0))


def components(
    summary: Summary | None, seeds_alone: Summary | None = None, level: float = 0.95
) -> list[Component]:
    """Estimate the variance components of one metric of one training procedure.

    Args:
        summary: Repeats with folds and seeds of their own (see
            :func:`blastfold.statistics.repeated.summarise`); None where there are none.
        seeds_alone: Repeats of the same procedure that keep their folds, or None.
        level: Confidence level of the intervals, which are those of chi-squared mean squares.

    Returns:
        The components of :data:`blastfold.core.names.COMPONENTS`; one that cannot be estimated has
        a note.
    """
    drawn = _values(summary)
    same = _values(seeds_alone)
    found = one_way([*([value] for value in drawn), same])
    missing = make_note("seeds_not_separated")
    seeds = _estimated(SEEDS, found.within, found.within_freedom, level, missing)
    note = "" if len(drawn) > 1 else make_note("fewer_than_two_repeats")
    note = make_note("negative_component") if found.negative else note
    unbounded = join_notes(note, make_note("component_without_interval"))
    splits = Component(SPLITS, found.between, np.nan, np.nan, np.nan, unbounded)
    if len(drawn) < 2 or np.isnan(found.between):
        reason = note if len(drawn) < 2 else missing
        splits = Component(SPLITS, np.nan, np.nan, np.nan, np.nan, reason)
    together = float(drawn.var(ddof=1)) if len(drawn) > 1 else np.nan
    lacking = make_note("fewer_than_two_repeats")
    both = _estimated(TOGETHER, together, len(drawn) - 1, level, lacking)
    return [seeds, splits, both, _of_subjects(summary or seeds_alone, level)]


def _values(summary: Summary | None) -> np.ndarray:
    """Return the defined results of the repeats."""
    if summary is None:
        return np.empty(0)
    return summary.values[~np.isnan(summary.values)]


def _of_subjects(summary: Summary | None, level: float) -> Component:
    """Return the variance between groups of the mean over repeats, without the repeats' noise.

    What a group adds to the result differs between repeats; the mean over R repeats keeps 1 / R of
    that variance, which is taken off.
    """
    nothing = (np.nan, np.nan, np.nan, np.nan)
    if summary is None:
        return Component(SUBJECTS, *nothing, make_note("fewer_than_two_repeats"))
    if not summary.complete:
        return Component(SUBJECTS, *nothing, make_note("repeats_test_other_images"))
    defined = ~np.isnan(summary.values)
    if not defined.any():
        return Component(SUBJECTS, *nothing, make_note("undefined"))
    influence = summary.influence[defined]
    contributing = np.count_nonzero(np.sum(summary.parts, axis=0))
    changes = -influence.mean(axis=0) * contributing / max(contributing - 1, 1)
    measured = spread(changes, summary.parts)
    if np.isnan(measured.standard_error):
        return Component(SUBJECTS, *nothing, make_note("fewer_than_two_groups"))
    noise = 0.0
    if len(influence) > 1:
        noise = float(influence.var(axis=0, ddof=1).sum()) / len(influence)
    variance = measured.standard_error**2 - noise
    note = make_note("negative_component") if variance < 0 else ""
    freedom = measured.degrees_of_freedom
    return _estimated(SUBJECTS, max(variance, 0.0), freedom, level, "", note)


def _estimated(
    name: str, variance: float, freedom: float, level: float, missing: str, note: str = ""
) -> Component:
    """Return a component with the interval of a chi-squared mean square, or the reason for none."""
    if np.isnan(variance):
        return Component(name, np.nan, np.nan, np.nan, np.nan, missing)
    tails = 2 * gammaincinv(freedom / 2, ((1 + level) / 2, (1 - level) / 2))
    lower, upper = (float(end) for end in freedom * variance / tails)
    return Component(name, variance, lower, upper, float(freedom), note)
