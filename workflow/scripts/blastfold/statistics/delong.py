"""Variance and comparison of AUCs: DeLong (1988), and Obuchowski (1997) for clustered images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from blastfold.core.errors import InputError
from blastfold.core.notes import make_note
from blastfold.statistics.grouped import placements


@dataclass(frozen=True)
class AreaEstimates:
    """AUCs of several models on the same images.

    Attributes:
        areas: float64 (models,).
        covariance: float64 (models, models); NaN where a class has fewer than two groups.
        note: Why a value is undefined; empty otherwise.
    """

    areas: np.ndarray
    covariance: np.ndarray
    note: str = ""


def estimate_areas(
    label: np.ndarray, probabilities: np.ndarray, groups: Sequence | None = None
) -> AreaEstimates:
    """Estimate AUCs and their covariance.

    Without groups this is DeLong, DeLong and Clarke-Pearson (1988); with groups the images of
    a group may depend on each other (Obuchowski 1997, equations of section 2). A group may
    hold both classes. Every image its own group gives DeLong's result exactly.

    Args:
        label: (images,), 0 negative or 1 positive.
        probabilities: (models, images), of the positive class.
        groups: (images,) names of the groups.

    Returns:
        The estimates; areas are NaN with a note when a class is missing.

    Raises:
        InputError: When the lengths differ.
    """
    label = np.asarray(label)
    probabilities = np.atleast_2d(np.asarray(probabilities, dtype=np.float64))
    models, images = probabilities.shape
    group = np.arange(images) if groups is None else pd.factorize(np.asarray(groups))[0]
    if not len(label) == images == len(group):
        raise InputError(
            f"labels, probabilities and groups differ: {len(label)}, {images}, {len(group)} images"
        )
    if len(np.unique(label)) < 2:
        undefined = np.full(models, np.nan)
        unknown = np.full((models, models), np.nan)
        return AreaEstimates(undefined, unknown, make_note("one_class"))
    placed = [placements(label, row) for row in probabilities]
    areas = np.array([of_positive.mean() for of_positive, _ in placed])
    covariance, note = _clustered_covariance(label, group, placed, areas)
    return AreaEstimates(areas, covariance, note)


def area_difference(estimates: AreaEstimates, level: float = 0.95) -> dict[str, float | str]:
    """Test whether the first two AUCs differ (two-sided normal test of the paper).

    Args:
        estimates: From :func:`estimate_areas`, two models.
        level: Confidence level of the interval.

    Returns:
        ``difference``, ``standard_error``, ``lower``, ``upper``, ``p_value`` and ``note``.
        Identical rankings give difference 0 and p = 1.
    """
    contrast = np.array([1.0, -1.0])
    difference = float(contrast @ estimates.areas[:2])
    variance = float(contrast @ estimates.covariance[:2, :2] @ contrast)
    standard_error = float(np.sqrt(max(variance, 0.0))) if variance == variance else np.nan
    reach = ndtri((1 + level) / 2) * standard_error
    note, p_value = estimates.note, np.nan
    if standard_error > 1e-12:
        p_value = float(2 * ndtr(-abs(difference) / standard_error))
    elif standard_error <= 1e-12 and abs(difference) < 1e-12:
        p_value, note = 1.0, make_note("same_order")
    elif standard_error <= 1e-12:
        note = make_note("no_spread_between_images")
    return {
        "difference": difference,
        "standard_error": standard_error,
        "lower": difference - reach,
        "upper": difference + reach,
        "p_value": p_value,
        "note": note,
    }


def _clustered_covariance(
    label: np.ndarray,
    group: np.ndarray,
    placed: list[tuple[np.ndarray, np.ndarray]],
    areas: np.ndarray,
) -> tuple[np.ndarray, str]:
    number = group.max() + 1
    positives = np.bincount(group[label == 1], minlength=number)
    negatives = np.bincount(group[label == 0], minlength=number)
    positive_groups, negative_groups = np.count_nonzero(positives), np.count_nonzero(negatives)
    if min(positive_groups, negative_groups) < 2:
        few = "positive" if positive_groups < 2 else "negative"
        note = make_note(f"one_group_with_{few}_images")
        return np.full((len(areas), len(areas)), np.nan), note
    of_positive = np.array([np.bincount(group[label == 1], row, number) for row, _ in placed])
    of_negative = np.array([np.bincount(group[label == 0], row, number) for _, row in placed])
    of_positive = (of_positive - np.outer(areas, positives)) / positives.sum()
    of_negative = (of_negative - np.outer(areas, negatives)) / negatives.sum()
    cross = number / (number - 1) * (of_positive @ of_negative.T)
    covariance = (
        positive_groups / (positive_groups - 1) * (of_positive @ of_positive.T)
        + negative_groups / (negative_groups - 1) * (of_negative @ of_negative.T)
        + cross
        + cross.T
    )
    return covariance, ""
