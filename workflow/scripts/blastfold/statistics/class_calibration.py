"""Calibration of more than two classes: classwise error, one temperature, vector scaling."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import logsumexp, softmax

from blastfold.core.notes import make_note
from blastfold.statistics.calibration import (
    LARGEST_LOGIT,
    Temperature,
    bin_edges,
    bin_index,
    bounded_temperature,
    number_of_bins,
    require_validation,
)
from blastfold.statistics.calibration_intervals import (
    Limits,
    error_limits,
    numbered_groups,
    sums_with_covariance,
)
from blastfold.statistics.class_grouped import checked_classes
from blastfold.statistics.recalibration import FEWEST_GROUPS, LARGEST_SLOPE


@dataclass(frozen=True)
class VectorScaling:
    """Vector scaling fitted on validation predictions: new logit = weight * logit + bias, by class.

    Attributes:
        weight: float64 (classes,); ones without a fit.
        bias: float64 (classes,), of mean 0; zeros without a fit.
        images: Number of validation images it was fitted on.
        loss_before: Negative log likelihood per image before.
        loss_after: Negative log likelihood per image after.
        note: What is special; empty otherwise.
    """

    weight: np.ndarray
    bias: np.ndarray
    images: int
    loss_before: float
    loss_after: float
    note: str


def classwise_errors(label: np.ndarray, probability: np.ndarray, bins: int) -> np.ndarray:
    """Compute the expected calibration error of every class against the rest.

    Kull, Perello-Nieto, Kangsepp, Silva Filho, Song and Flach (2019), Beyond temperature scaling,
    section 2: in every bin of the probability of a class its mean is compared with the share of
    images of the class. The classwise error is the mean over the classes.

    Args:
        label: int64 (images,), index of the class.
        probability: float64 (images, classes).
        bins: Number of bins of equal width, see
            :func:`blastfold.statistics.calibration.number_of_bins`.

    Returns:
        float64 (classes,), each from 0 to 1.
    """
    sums = _bin_sums(label, probability, np.zeros_like(label), 1, bins)
    return np.abs(sums).reshape(probability.shape[1], bins).sum(axis=1) / len(label)


def classwise_error_interval(
    predictions: pd.DataFrame,
    groups: Sequence | None,
    random_generator: np.random.Generator,
    *,
    bins: int | None = None,
    level: float = 0.95,
) -> Limits:
    """Compute an interval of the classwise calibration error.

    As :func:`blastfold.statistics.calibration_intervals.calibration_error_interval`, over the bins
    of all classes together, whose covariance the groups show.

    Args:
        predictions: See :func:`blastfold.statistics.class_grouped.group_classes`.
        groups: The group of every row; every row is its own group when None.
        random_generator: For the draws.
        bins: Number of bins of equal width; that of
            :func:`blastfold.statistics.calibration.number_of_bins` when None.
        level: Confidence level.
    """
    label, probability = checked_classes(predictions)
    group, number = numbered_groups(groups, len(label))
    if number < 2:
        return Limits(np.nan, np.nan, make_note("fewer_than_two_groups"))
    bins = bins or number_of_bins(predictions)
    sums = _bin_sums(label, probability, group, number, bins) / probability.shape[1]
    sums = sums[:, np.abs(sums).any(axis=0)]
    return error_limits(*sums_with_covariance(sums, group), random_generator, level)


def fit_class_temperature(validation: pd.DataFrame) -> Temperature:
    """Fit the temperature that divides the logits of all classes (Guo et al. 2017, section 4.2).

    Args:
        validation: Validation predictions, see
            :func:`blastfold.statistics.class_grouped.group_classes`; a column ``role`` must be
            ``validation`` throughout.

    Returns:
        The temperature, 1 with a note where it cannot be fitted.

    Raises:
        InputError: For predictions of another role, and for invalid predictions.
    """
    require_validation(validation, "a temperature")
    label, probability = checked_classes(validation)
    logits = class_logits(probability)
    own = np.take_along_axis(logits, label[:, np.newaxis], axis=1)[:, 0]

    def loss(log_temperature: float) -> float:
        factor = np.exp(-log_temperature)
        return float(np.mean(logsumexp(factor * logits, axis=1) - factor * own))

    note, gap = "", own - logits.max(axis=1)
    if len(np.unique(label)) < 2:
        note = make_note("temperature_of_one_class")
    elif not np.ptp(logits, axis=1).any():
        note = make_note("temperature_of_equal_probabilities")
    elif (gap >= 0).all():
        note = make_note("temperature_of_one_sided_images")
    return bounded_temperature(loss, len(label), note)


def fit_vector_scaling(validation: pd.DataFrame) -> VectorScaling:
    """Fit a weight and a bias of the logit of every class by maximum likelihood.

    Guo, Pleiss, Sun and Weinberger (2017), On calibration of modern neural networks, section 4.2.

    Args:
        validation: See :func:`fit_class_temperature`.

    Returns:
        The scaling; weights 1 and biases 0 with a note where there is no maximum.

    Raises:
        InputError: For predictions of another role, and for invalid predictions.
    """
    require_validation(validation, "vector scaling")
    label, probability = checked_classes(validation)
    logits, classes = class_logits(probability), probability.shape[1]
    truth = np.eye(classes)[label]

    def loss(line: np.ndarray) -> float:
        scaled = line[:classes] * logits + line[classes:]
        return float(np.mean(logsumexp(scaled, axis=1) - (truth * scaled).sum(axis=1)))

    def slope_of_loss(line: np.ndarray) -> np.ndarray:
        excess = softmax(line[:classes] * logits + line[classes:], axis=1) - truth
        return np.concatenate([(excess * logits).mean(axis=0), excess.mean(axis=0)])

    line = unchanged = np.repeat([1.0, 0.0], classes)
    note = "" if len(np.unique(label)) == classes else make_note("vector_of_missing_classes")
    if not note:
        found = optimize.minimize(loss, unchanged, jac=slope_of_loss, method="BFGS", tol=1e-6).x
        scaled = found[:classes] * logits + found[classes:]
        # Where all images are right, larger weights are always more likely.
        if np.all(np.abs(found) < LARGEST_SLOPE) and (scaled.argmax(axis=1) != label).any():
            line = found - np.repeat([0.0, found[classes:].mean()], classes)
        else:
            note = make_note("vector_without_maximum")
    losses = loss(unchanged), loss(line)
    return VectorScaling(line[:classes], line[classes:], len(label), *losses, note)


def apply_class_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of probabilities (images, classes); the predicted class does not change."""
    return softmax(class_logits(probability) / temperature, axis=1)


def apply_vector_scaling(
    probability: np.ndarray, weight: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    """Apply vector scaling to probabilities (images, classes); the predicted class may change."""
    return softmax(weight * class_logits(probability) + bias, axis=1)


def class_groups_note(validation: pd.DataFrame, classes: int, fewest: int = FEWEST_GROUPS) -> str:
    """Return the note that refuses a fit on too few groups of a class, or an empty string.

    Args:
        validation: Validation predictions: ``class_label`` and ``group``.
        classes: Number of classes.
        fewest: Number of groups that each class needs.
    """
    found = validation.groupby("class_label")["group"].nunique().reindex(range(classes))
    smallest = int(found.fillna(0).min())
    return "" if smallest >= fewest else make_note("few_groups_of_a_class", smallest, fewest)


def class_logits(probability: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities, at least -:data:`LARGEST_LOGIT`."""
    return np.log(np.maximum(np.asarray(probability, np.float64), np.exp(-LARGEST_LOGIT)))


def _bin_sums(
    label: np.ndarray, probability: np.ndarray, part: np.ndarray, number: int, bins: int
) -> np.ndarray:
    """Sum probability minus truth in every bin of every class, (parts, classes * bins)."""
    classes = probability.shape[1]
    index = bin_index(probability, bin_edges(probability, bins, "width"))
    place = (part[:, np.newaxis] * classes + np.arange(classes)) * bins + index
    excess = probability - (label[:, np.newaxis] == np.arange(classes))
    sums = np.bincount(place.ravel(), excess.ravel(), number * classes * bins)
    return sums.reshape(number, classes * bins)
