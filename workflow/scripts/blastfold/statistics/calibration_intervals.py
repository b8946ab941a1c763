"""Intervals of calibration over groups, and what a calibrated model would show at this size."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.calibration import bin_edges, bin_index, number_of_bins
from blastfold.statistics.grouped import checked_columns
from blastfold.statistics.jackknife import Spread, bounded_interval, few_groups_note, spread

DRAWS = 2000
"""Random draws of an interval of the calibration error, and of its reference value."""

CANDIDATES = 60
"""Calibration errors that are tried as limits, between 0 and the largest one."""


class Limits(NamedTuple):
    """Ends of an interval; NaN with a note where there is none."""

    lower: float
    upper: float
    note: str


class Reference(NamedTuple):
    """Calibration errors of a perfectly calibrated model with the same probabilities.

    Attributes:
        expected: Their mean.
        percentile: Their 95th percentile.
    """

    expected: float
    percentile: float


def brier_interval(
    predictions: pd.DataFrame, groups: Sequence | None = None, level: float = 0.95
) -> Limits:
    """Compute an interval of the Brier score by the jackknife over groups.

    The score is a mean over images; the interval is symmetric for its logarithm, with Student's t
    and the effective number of groups (see :func:`blastfold.statistics.jackknife.spread`).

    Args:
        predictions: One row per image: ``label``, ``probability``.
        groups: The group of every row; every row is its own group when None.
        level: Confidence level.
    """
    label, probability = checked_columns(predictions)
    group, number = numbered_groups(groups, len(label))
    sizes = np.bincount(group, minlength=number).astype(np.float64)
    sums = np.bincount(group, (probability - label) ** 2, number)
    if number < 2:
        return Limits(np.nan, np.nan, make_note("fewer_than_two_groups"))
    value = sums.sum() / sizes.sum()
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    measured = spread(without - value, [sizes])
    note = few_groups_note(measured.effective_groups)
    if value == 0 or measured.standard_error < 1e-12:
        return Limits(float(value), float(value), join_notes(make_note("no_width"), note))
    reach = stdtrit(measured.degrees_of_freedom, (1 + level) / 2) * measured.standard_error
    lower, upper = value * np.exp(np.array((-1, 1)) * reach / value)
    return Limits(float(lower), float(min(upper, 1.0)), note)


def calibration_error_interval(
    predictions: pd.DataFrame,
    groups: Sequence | None,
    random_generator: np.random.Generator,
    *,
    bins: int | None = None,
    strategy: str = "width",
    level: float = 0.95,
) -> Limits:
    """Compute an interval of the expected calibration error by inverting a test.

    The error is the sum over bins of the distance between the summed probabilities and the summed
    labels, divided by the number of images. Chance moves these distances by amounts whose
    covariance the groups show; because absolute values are summed, chance also makes the error
    larger. A value is within the interval when errors at least as large and at least as small as
    the measured one are both drawn in at least 2.5 % of cases (test inversion with a parametric
    bootstrap: Carpenter 1999, Test inversion bootstrap confidence intervals). The draws have a
    multivariate t distribution with the covariance between groups. The tried distances have the
    signs of the measured ones and are proportional to the standard error of their bin, which lets
    chance add little, so that the upper limit is cautious.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        groups: The group of every row; every row is its own group when None.
        random_generator: For the draws.
        bins: Number of bins; that of
            :func:`blastfold.statistics.calibration.number_of_bins` when None.
        strategy: See :func:`blastfold.statistics.calibration.reliability_bins`; bins of equal mass
            are taken as given.
        level: Confidence level.

    Returns:
        The limits. The lower one is 0 where the groups do not show any miscalibration.
    """
    label, probability = checked_columns(predictions)
    group, number = numbered_groups(groups, len(label))
    if number < 2:
        return Limits(np.nan, np.nan, make_note("fewer_than_two_groups"))
    edges = bin_edges(probability, bins or number_of_bins(predictions), strategy)
    index = bin_index(probability, edges)
    found = _bin_distances(label, probability, group, index, len(edges))
    return error_limits(*found, random_generator, level)


def error_limits(
    distances: np.ndarray,
    covariance: np.ndarray,
    measured: Spread,
    random_generator: np.random.Generator,
    level: float,
) -> Limits:
    """Return the limits of a sum of absolute distances, see :func:`calibration_error_interval`.

    Args:
        distances: float64 (bins,).
        covariance: Their covariance over groups, (bins, bins).
        measured: With the degrees of freedom of the groups.
        random_generator: For the draws.
        level: Confidence level.
    """
    error = float(np.abs(distances).sum())
    note = few_groups_note(measured.effective_groups)
    noise, scale = _draw_noise(covariance, measured, random_generator)
    signs = np.where(distances < 0, -1.0, 1.0)
    largest = error + 4 * scale.sum()
    tried = np.linspace(0, largest, CANDIDATES + 1)
    if largest == 0:
        return Limits(error, error, join_notes(make_note("no_width"), note))
    shape = signs * scale / scale.sum() if scale.sum() > 0 else distances / error
    drawn = [np.abs(value * shape + noise).sum(axis=1) for value in tried]
    tail = (1 - level) / 2
    above = np.array([np.mean(values >= error - 1e-12) for values in drawn])
    below = np.array([np.mean(values <= error + 1e-12) for values in drawn])
    lower = _first_reaching(tried, above, tail)
    upper = _first_reaching(tried[::-1], below[::-1], tail)
    return Limits(min(lower, error), max(min(upper, 1.0), lower), note)


def calibrated_reference(
    predictions: pd.DataFrame,
    random_generator: np.random.Generator,
    *,
    bins: int | None = None,
    strategy: str = "width",
) -> Reference:
    """Draw the calibration errors that a perfectly calibrated model would show at this size.

    Labels are drawn from the model's own probabilities, independently for every image; with
    repeats, the label of an image is drawn once. Labels that images of one group share make the
    errors of a calibrated model larger than this reference.

    Args:
        predictions: One row per image (and repeat): ``label``, ``probability`` and, with repeats,
            ``image_id``.
        random_generator: For the labels.
        bins: Number of bins; that of
            :func:`blastfold.statistics.calibration.number_of_bins` when None.
        strategy: See :func:`blastfold.statistics.calibration.reliability_bins`.
    """
    _, probability = checked_columns(predictions)
    names = predictions.get("image_id", pd.Series(np.arange(len(probability))))
    image = pd.factorize(names)[0]
    edges = bin_edges(probability, bins or number_of_bins(predictions), strategy)
    index = bin_index(probability, edges)
    sums = np.bincount(index, probability, len(edges) - 1)
    errors = np.empty(DRAWS)
    for draw in range(DRAWS):
        label = random_generator.random(image.max() + 1)[image] < probability
        positives = np.bincount(index, label, len(edges) - 1)
        errors[draw] = np.abs(sums - positives).sum() / len(probability)
    return Reference(float(errors.mean()), float(np.quantile(errors, 0.95)))


def grouped_bins(
    predictions: pd.DataFrame,
    groups: Sequence | None,
    bins: int | None = None,
    strategy: str = "width",
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute an interval over groups of the share of positives in every bin.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        groups: The group of every row; every row is its own group when None.
        bins: Number of bins; that of
            :func:`blastfold.statistics.calibration.number_of_bins` when None.
        strategy: See :func:`blastfold.statistics.calibration.reliability_bins`.
        level: Confidence level.

    Returns:
        One row per bin that holds images: groups (of its images), lower, upper and note. A bin
        with images of one group has no interval.
    """
    label, probability = checked_columns(predictions)
    group, _ = numbered_groups(groups, len(label))
    bins = bins or number_of_bins(predictions)
    index = bin_index(probability, bin_edges(probability, bins, strategy))
    rows = []
    for place in np.unique(index):
        inside = index == place
        rows.append(_share_interval(label[inside], group[inside], level))
    return pd.DataFrame(rows, columns=["groups", "lower", "upper", "note"])


def _share_interval(
    label: np.ndarray, group: np.ndarray, level: float
) -> tuple[int, float, float, str]:
    numbered = np.unique(group, return_inverse=True)[1]
    number = numbered.max() + 1
    if number < 2:
        return number, np.nan, np.nan, make_note("fewer_than_two_groups")
    sizes = np.bincount(numbered).astype(np.float64)
    positives = np.bincount(numbered, label)
    value = positives.sum() / sizes.sum()
    without = (positives.sum() - positives) / (sizes.sum() - sizes)
    limits = bounded_interval("accuracy", value, spread(without - value, [sizes]), level)
    return number, *limits


def numbered_groups(groups: Sequence | None, rows: int) -> tuple[np.ndarray, int]:
    """Return the number of every row's group, int64 (rows,), and how many groups there are."""
    if groups is None:
        return np.arange(rows), rows
    index, names = pd.factorize(np.asarray(groups))
    return index, len(names)


def _bin_distances(
    label: np.ndarray, probability: np.ndarray, group: np.ndarray, index: np.ndarray, edges: int
) -> tuple[np.ndarray, np.ndarray, Spread]:
    """Return what :func:`sums_with_covariance` does of the bins of one probability."""
    number, bins = group.max() + 1, edges - 1
    sums = np.bincount(group * bins + index, probability - label, number * bins)
    return sums_with_covariance(sums.reshape(number, bins), group)


def sums_with_covariance(
    sums: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, Spread]:
    """Return each bin's distance, the covariance of the distances over groups, and its freedom.

    The residual of a group is divided by one minus its share of the images, as in the jackknife
    (CR3; Bell and McCaffrey 2002).

    Args:
        sums: float64 (groups, bins), summed probabilities minus summed labels.
        group: int64 (images,), number of the group.
    """
    number, images = len(sums), len(group)
    sizes = np.bincount(group, minlength=number).astype(np.float64)
    distances = sums.sum(axis=0) / images
    residuals = (sums - np.outer(sizes, distances)) / (1 - sizes / images)[:, np.newaxis]
    covariance = (number - 1) / number * residuals.T @ residuals / images**2
    return distances, covariance, spread(np.zeros(number), [sizes])


def _draw_noise(
    covariance: np.ndarray, measured: Spread, random_generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return draws of a multivariate t distribution (draws, bins), and each bin's scale."""
    values, vectors = np.linalg.eigh(covariance)
    normal = random_generator.normal(size=(DRAWS, len(values)))
    normal = normal @ (vectors * np.sqrt(np.maximum(values, 0))).T
    freedom = measured.degrees_of_freedom
    chi = random_generator.chisquare(freedom, size=(DRAWS, 1)) / freedom
    return normal / np.sqrt(chi), np.sqrt(np.diag(covariance))


def _first_reaching(tried: np.ndarray, shares: np.ndarray, tail: float) -> float:
    """Return the first tried value whose share reaches the tail, between it and the one before."""
    place = int(np.argmax(shares >= tail))
    if place == 0:
        return float(tried[0])
    step = (tail - shares[place - 1]) / (shares[place] - shares[place - 1])
    return float(tried[place - 1] + step * (tried[place] - tried[place - 1]))
