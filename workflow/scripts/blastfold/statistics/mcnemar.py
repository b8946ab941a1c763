"""McNemar's test of two models on the same images, its clustered form and its effect sizes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import chdtrc, ndtri

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.proportions import exact_interval

EXACT_BELOW = 25
"""Fewer images than this on which exactly one model is right: the exact binomial test."""


@dataclass(frozen=True)
class PairedAccuracy:
    """Which images only one of two models gets right, and what follows.

    Attributes:
        images: Number of images.
        only_first: Images that only the first model gets right.
        only_second: Images that only the second model gets right.
        p_value: McNemar (1947): exact binomial below :data:`EXACT_BELOW` discordant images,
            otherwise chi-square with Edwards' (1948) continuity correction; 1 without any.
        test: ``mcnemar-exact`` or ``mcnemar-chi-square``.
        clustered_p_value: Obuchowski (1998) for images in groups; NaN without groups.
        risk_difference: Accuracy of the first model minus that of the second.
        odds_ratio: ``only_first / only_second``; NaN where both are 0.
        odds_ratio_lower: Exact lower limit of the odds ratio (Liddell 1983).
        odds_ratio_upper: Exact upper limit.
        cohens_g: Share of the discordant images that the first model gets right, minus 1/2
            (Cohen 1988: 0.05 small, 0.15 medium, 0.25 large); NaN without any.
        minimum_detectable: Smallest difference in accuracy that this many images show with
            80 % power, see :func:`minimum_detectable_difference`.
        note: What is special; empty otherwise.
    """

    images: int
    only_first: int
    only_second: int
    p_value: float
    test: str
    clustered_p_value: float
    risk_difference: float
    odds_ratio: float
    odds_ratio_lower: float
    odds_ratio_upper: float
    cohens_g: float
    minimum_detectable: float
    note: str


def paired_accuracy(
    first_right: np.ndarray,
    second_right: np.ndarray,
    groups: Sequence | None = None,
    level: float = 0.95,
) -> PairedAccuracy:
    """Compare two models by the images that only one of them gets right.

    Args:
        first_right: bool (images,), whether the first model predicts the label.
        second_right: bool (images,), of the second model.
        groups: (images,) names of the groups, or None.
        level: Confidence level of the odds ratio's limits.

    Returns:
        Test, effect sizes and the smallest difference that could have been shown.
    """
    first_right, second_right = np.asarray(first_right, bool), np.asarray(second_right, bool)
    images = len(first_right)
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(second_right & ~first_right))
    discordant = only_first + only_second
    exact = discordant < EXACT_BELOW
    p_value = 1.0
    if discordant:
        # Its import takes as long as a comparison.
        from statsmodels.stats.contingency_tables import mcnemar

        table = [[0, only_first], [only_second, 0]]
        p_value = float(mcnemar(table, exact=exact, correction=not exact).pvalue)
    detectable = minimum_detectable_difference(images, discordant / images, 1 - level)
    return PairedAccuracy(
        images,
        only_first,
        only_second,
        p_value,
        "mcnemar-exact" if exact else "mcnemar-chi-square",
        clustered_mcnemar(first_right, second_right, groups)[1],
        (only_first - only_second) / images,
        *_odds_ratio(only_first, only_second, level),
        only_first / discordant - 0.5 if discordant else np.nan,
        detectable,
        _notes(discordant, detectable, images, groups),
    )


def clustered_mcnemar(
    first_right: np.ndarray, second_right: np.ndarray, groups: Sequence | None
) -> tuple[float, float]:
    """Compute McNemar's test for images in groups.

    Obuchowski (1998), On the comparison of correlated proportions for clustered data, in the
    form of Yang, Sun and Hardin (2010), section 2.3.

    Args:
        first_right: bool (images,).
        second_right: bool (images,).
        groups: (images,) names of the groups.

    Returns:
        The chi-square statistic with one degree of freedom, and its p value; (0, 1) when the
        models never differ in sum within a group, (NaN, NaN) without groups or for one group.
    """
    if groups is None:
        return np.nan, np.nan
    index, names = pd.factorize(np.asarray(groups))
    if len(names) < 2:
        return np.nan, np.nan
    balance = np.bincount(index, np.asarray(first_right, int) - np.asarray(second_right, int))
    if not balance.any():
        return 0.0, 1.0
    statistic = (len(names) - 1) / len(names) * balance.sum() ** 2 / np.sum(balance**2)
    return float(statistic), float(chdtrc(1, statistic))


def risk_difference_limits(found: PairedAccuracy, level: float = 0.95) -> tuple[float, float]:
    """Compute the interval of the difference in accuracy for independent images.

    Agresti and Min (2005), Simple improved confidence intervals for comparing matched
    proportions: Wald's interval after half an image is added to each of the four cells.

    Args:
        found: The paired accuracy.
        level: Confidence level.

    Returns:
        Lower and upper end.
    """
    images = found.images + 2
    difference = (found.only_first - found.only_second) / images
    share = (found.only_first + found.only_second + 1) / images
    reach = ndtri((1 + level) / 2) * np.sqrt((share - difference**2) / images)
    return max(difference - reach, -1.0), min(difference + reach, 1.0)


def minimum_detectable_difference(
    images: int, discordant_share: float, significance: float = 0.05, power: float = 0.8
) -> float:
    """Solve McNemar's sample size formula for the difference.

    Connor (1987), Sample size for testing differences in proportions for the paired-sample
    design: n = (z_alpha sqrt(psi) + z_beta sqrt(psi - d^2))^2 / d^2. The difference d cannot
    exceed the discordant share psi, so psi is raised to d where it is smaller.

    Args:
        images: Number of images.
        discordant_share: Share of the images that exactly one model gets right.
        significance: Of the two-sided test.
        power: Wanted probability of showing the difference.

    Returns:
        The smallest difference, NaN when not even a difference of 1 could be shown.
    """
    z_significance, z_power = ndtri(1 - significance / 2), ndtri(power)

    def surplus(difference: float) -> float:
        share = max(discordant_share, difference)
        root = z_significance * np.sqrt(share) + z_power * np.sqrt(share - difference**2)
        return root - difference * np.sqrt(images)

    if images < 1 or surplus(1.0) > 0:
        return np.nan
    return float(optimize.brentq(surplus, 1e-12, 1.0))


def _odds_ratio(only_first: int, only_second: int, level: float) -> tuple[float, float, float]:
    discordant = only_first + only_second
    if discordant == 0:
        return np.nan, np.nan, np.nan
    lower, upper = exact_interval(only_first, discordant, level)
    ratio = only_first / only_second if only_second else np.inf
    return ratio, float(lower / (1 - lower)), float(upper / (1 - upper)) if upper < 1 else np.inf


def _notes(discordant: int, detectable: float, images: int, groups: Sequence | None) -> str:
    notes = []
    if discordant == 0:
        notes.append(make_note("right_on_the_same_images"))
    if np.isnan(detectable):
        notes.append(make_note("nothing_detectable", images))
    if groups is not None and len(set(np.asarray(groups).tolist())) < images:
        notes.append(make_note("p_value_of_independent_images"))
    return join_notes(*notes)
