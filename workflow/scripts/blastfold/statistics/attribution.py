"""Share of an attribution on the cell, and whether it depends on a network's weights."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.special import stdtrit

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.jackknife import few_groups_note, spread


class GroupedMean(NamedTuple):
    """A mean with its interval over groups.

    Attributes:
        value: The mean; NaN of nothing.
        lower: Lower end; NaN where there is none.
        upper: Upper end; NaN where there is none.
        note: Codes of :mod:`blastfold.core.notes`.
    """

    value: float
    lower: float
    upper: float
    note: str


def enlarge(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bring maps to the size of their images by bilinear interpolation.

    The centre of a place of the map is the centre of its part of the image;
    beyond the outer centres the outer values continue.

    Args:
        maps: float (n, rows, columns).
        size: Height and width of the images.

    Returns:
        float64 (n, height, width).
    """
    down, right = (
        _interpolation(length, known) for length, known in zip(size, maps.shape[1:], strict=True)
    )
    return np.einsum("hr,nrc,wc->nhw", down, maps.astype(np.float64), right, optimize=True)


def _interpolation(length: int, known: int) -> np.ndarray:
    """Return the weights (length, known) by which known values give a row of pixels."""
    places = np.clip((np.arange(length) + 0.5) * known / length - 0.5, 0, known - 1)
    distance = np.abs(places[:, np.newaxis] - np.arange(known))
    return np.clip(1 - distance, 0, None)


def shares_on_cell(attribution: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return the share of each attribution on the cell.

    Args:
        attribution: float (n, height, width), not negative.
        masks: bool (n, height, width), True on the cell.

    Returns:
        float64 (n,); NaN where the attribution is 0 everywhere.
    """
    total = attribution.sum(axis=(1, 2))
    inside = np.where(masks, attribution, 0).sum(axis=(1, 2))
    return np.divide(inside, total, out=np.full(len(total), np.nan), where=total > 0)


def rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation of each pair of maps.

    Args:
        first: float (n, rows, columns).
        second: The same shape.

    Returns:
        float64 (n,); NaN where a map has one value only.
    """
    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    return np.array([_rank_correlation(*pair) for pair in pairs], dtype=np.float64)


def _rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def areas_between(curves: np.ndarray, places: Sequence[float]) -> np.ndarray:
    """Return the area of each second curve minus that of the first, by trapezia.

    Args:
        curves: float (n, 2, places).
        places: The places of the values, rising.

    Returns:
        float64 (n,).
    """
    difference = curves[:, 1].astype(np.float64) - curves[:, 0]
    return np.trapezoid(difference, np.asarray(places), axis=1)


def mean_over_groups(
    values: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    level: float = 0.95,
) -> GroupedMean:
    """Compute a weighted mean with its interval by the delete-one-group jackknife.

    Args:
        values: float (n,), without NaN.
        weights: float (n,), above 0: the number of images that each one represents.
        groups: (n,) the group of each image.
        bounds: Smallest and largest possible value, where the interval ends.
        level: Confidence level.

    Returns:
        The mean and its interval by the t distribution, see
        :func:`blastfold.statistics.jackknife.spread`.
    """
    if len(values) == 0:
        return GroupedMean(np.nan, np.nan, np.nan, make_note("no_attribution"))
    names, index = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    weight = np.bincount(index, weights, len(names))
    total = np.bincount(index, weights * values, len(names))
    value = float(total.sum() / weight.sum())
    if len(names) < 2:
        return GroupedMean(value, np.nan, np.nan, make_note("fewer_than_two_groups"))
    without = (total.sum() - total) / (weight.sum() - weight)
    measured = spread(without - value, [np.bincount(index).astype(np.float64)])
    quantile = stdtrit(measured.degrees_of_freedom, (1 + level) / 2)
    reach = float(quantile * measured.standard_error)
    if not math.isfinite(reach):
        return GroupedMean(value, np.nan, np.nan, make_note("fewer_than_two_groups"))
    note = join_notes(few_groups_note(measured.effective_groups))
    lower, upper = np.clip((value - reach, value + reach), *bounds)
    return GroupedMean(value, float(lower), float(upper), note)
