"""Calibration of probabilities: ECE, Brier score, reliability bins and temperature."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import expit, logit

from blastfold.core.errors import InputError
from blastfold.core.names import VALIDATION
from blastfold.core.notes import make_note
from blastfold.statistics.grouped import checked_columns
from blastfold.statistics.proportions import wilson_interval

BINS = 15
"""Bins of the reliability diagram (Guo et al. 2017), where there are images enough for them."""

LARGEST_LOGIT = 30.0
"""Probabilities of exactly 0 and 1 are taken as this far out, so that the logit exists."""

_TEMPERATURES = (1e-2, 1e2)


@dataclass(frozen=True)
class Temperature:
    """A temperature fitted on validation predictions.

    Attributes:
        value: Divides the logit; above 1 where the model is overconfident.
        images: Number of validation images it was fitted on.
        loss_before: Negative log likelihood an image before.
        loss_after: Negative log likelihood an image after.
        note: What is special; empty otherwise.
    """

    value: float
    images: int
    loss_before: float
    loss_after: float
    note: str


def number_of_bins(predictions: pd.DataFrame) -> int:
    """Return how many bins the images are enough for.

    Twice the cube root of their number, rounded down, and :data:`BINS` at most. Chance adds
    more to the calibration error the more bins there are; the error of the estimate is smallest
    with a number of bins in proportion to the cube root of the images (Futami and Fujisawa 2024,
    Information-theoretic generalization analysis for expected calibration error).

    Args:
        predictions: One row per image; with repeats, images are counted once by ``image_id``.
    """
    images = len(predictions)
    if "image_id" in predictions:
        images = predictions["image_id"].nunique()
    # The cube root of 27 is not quite 3 in floating point.
    return max(1, min(BINS, int(2 * np.cbrt(images) + 1e-9)))


def reliability_bins(
    predictions: pd.DataFrame, bins: int | None = None, strategy: str = "width"
) -> pd.DataFrame:
    """Compare the mean probability of the positive class with the share of positives, bin by bin.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        bins: Number of bins; that of :func:`number_of_bins` when None.
        strategy: ``width`` for bins of equal width, ``mass`` for bins of about equally many
            images (quantiles; equal probabilities stay in one bin).

    Returns:
        One row per bin that holds images: ``left``, ``right`` (edges; a bin holds its right
        edge), ``images``, ``mean_probability``, ``positive_share``, ``lower``, ``upper`` (Wilson
        95 %, images taken as independent).

    Raises:
        InputError: For invalid predictions, fewer than one bin or an unknown strategy.
    """
    label, probability = checked_columns(predictions)
    bins = number_of_bins(predictions) if bins is None else bins
    edges = bin_edges(probability, bins, strategy)
    index = bin_index(probability, edges)
    images = np.bincount(index, minlength=len(edges) - 1)
    held = images > 0
    positives = np.bincount(index, label, len(edges) - 1)[held]
    lower, upper = wilson_interval(positives, images[held], 0.95)
    return pd.DataFrame(
        {
            "left": edges[:-1][held],
            "right": edges[1:][held],
            "images": images[held],
            "mean_probability": np.bincount(index, probability, len(edges) - 1)[held]
            / images[held],
            "positive_share": positives / images[held],
            "lower": lower,
            "upper": upper,
        }
    )


def bin_edges(probability: np.ndarray, bins: int, strategy: str) -> np.ndarray:
    """Return the edges of the bins, ascending; see :func:`reliability_bins`.

    Raises:
        InputError: For fewer than one bin or an unknown strategy.
    """
    if bins < 1 or strategy not in ("width", "mass"):
        raise InputError(
            f"bins must be at least 1 and strategy 'width' or 'mass', got {bins}, '{strategy}'"
        )
    edges = np.linspace(0, 1, bins + 1)
    if strategy == "mass":
        edges = np.unique(np.percentile(probability, 100 * edges))
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
    return edges


def bin_index(probability: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the bin of every probability; a bin holds its right edge, the first also its left."""
    return np.clip(np.searchsorted(edges, probability, side="left") - 1, 0, len(edges) - 2)


def expected_calibration_error(
    predictions: pd.DataFrame, bins: int | None = None, strategy: str = "width"
) -> float:
    """Compute the expected calibration error of the probability of the positive class.

    The mean over images of |mean probability - share of positives| of their bin (Naeini, Cooper
    and Hauskrecht 2015, binary form). Depends on the bins; report strategy and number.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        bins: Number of bins; that of :func:`number_of_bins` when None.
        strategy: See :func:`reliability_bins`.

    Returns:
        A number from 0 to 1.
    """
    table = reliability_bins(predictions, bins, strategy)
    gaps = (table["mean_probability"] - table["positive_share"]).abs()
    return float(np.average(gaps, weights=table["images"]))


def brier_score(predictions: pd.DataFrame) -> float:
    """Compute the mean squared distance of the probability from the label (Brier 1950)."""
    label, probability = checked_columns(predictions)
    return float(np.mean((probability - label) ** 2))


def fit_temperature(validation: pd.DataFrame) -> Temperature:
    """Fit the temperature that divides the logit (Guo et al. 2017, section 4.2).

    Args:
        validation: Validation predictions: ``label``, ``probability``; a column ``role`` must
            be ``validation`` throughout.

    Returns:
        The temperature, 1 with a note where it cannot be fitted.

    Raises:
        InputError: For predictions of another role, and for invalid predictions.
    """
    require_validation(validation, "a temperature")
    label, probability = checked_columns(validation)
    logits = logits_of(probability)

    def loss(log_temperature: float) -> float:
        scaled = logits * np.exp(-log_temperature)
        return float(np.mean(np.logaddexp(0, scaled) - label * scaled))

    note = ""
    if len(np.unique(label)) < 2:
        note = make_note("temperature_of_one_class")
    elif np.ptp(logits) == 0:
        note = make_note("temperature_of_equal_probabilities")
    elif is_one_sided(label, logits):
        note = make_note("temperature_of_one_sided_images")
    return bounded_temperature(loss, len(label), note)


def bounded_temperature(loss: Callable[[float], float], images: int, note: str) -> Temperature:
    """Minimise the loss over the logarithm of the temperature.

    Args:
        loss: Negative log likelihood per image.
        images: Number of validation images.
        note: Why nothing can be fitted; empty otherwise.
    """
    value = 1.0
    if not note:
        bounds = tuple(np.log(_TEMPERATURES))
        found = optimize.minimize_scalar(
            loss, bounds=bounds, method="bounded", options={"xatol": 1e-10}
        )
        value = float(np.exp(found.x))
        if min(abs(found.x - bound) for bound in bounds) < 1e-3:
            value, note = 1.0, make_note("temperature_without_maximum")
    return Temperature(value, images, loss(0.0), loss(np.log(value)), note)


def apply_temperature(probability: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logit of probabilities by a temperature; the order does not change.

    Args:
        probability: Numbers from 0 to 1, any shape.
        temperature: Positive.

    Returns:
        Probabilities of the same shape.

    Raises:
        InputError: For a temperature that is not positive.
    """
    if not temperature > 0:
        raise InputError(f"temperature must be positive, got {temperature}")
    return expit(logits_of(np.asarray(probability, dtype=np.float64)) / temperature)


def require_validation(predictions: pd.DataFrame, what: str) -> None:
    """Refuse predictions that are marked as anything but validation.

    Args:
        predictions: A table, with or without a column ``role``.
        what: What is to be fitted, for the message.

    Raises:
        InputError: When the column ``role`` holds another value.
    """
    if "role" not in predictions:
        return
    others = predictions.loc[predictions["role"] != VALIDATION, "role"]
    if len(others):
        found = ", ".join(f"{count} {role}" for role, count in others.value_counts().items())
        raise InputError(f"{what} is fitted on validation predictions alone, got also {found}")


def is_one_sided(label: np.ndarray, logits: np.ndarray) -> bool:
    """Return whether the likelihood only grows towards temperature 0, or only towards infinity."""
    agreement = (2 * label - 1) * logits
    return bool((agreement >= 0).all() or (agreement <= 0).all())


def logits_of(probability: np.ndarray) -> np.ndarray:
    """Return the logits, at most :data:`LARGEST_LOGIT` from 0."""
    return np.clip(logit(probability), -LARGEST_LOGIT, LARGEST_LOGIT)
