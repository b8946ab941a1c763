"""Operating points: a threshold from the validation part, and what abstaining would buy."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import THRESHOLD
from blastfold.core.notes import make_note
from blastfold.statistics.calibration import require_validation
from blastfold.statistics.grouped import checked_columns


@dataclass(frozen=True)
class ChosenThreshold:
    """A threshold chosen on validation predictions.

    Attributes:
        value: Probabilities of at least this predict positive.
        rule: How it was chosen.
        images: Number of validation images.
        sensitivity: On the validation part; NaN without a positive.
        specificity: On the validation part; NaN without a negative.
        note: What is special; empty otherwise.
    """

    value: float
    rule: str
    images: int
    sensitivity: float
    specificity: float
    note: str


def choose_threshold(
    validation: pd.DataFrame, rule: str = "youden", wanted: float | None = None
) -> ChosenThreshold:
    """Choose the threshold on validation predictions.

    Args:
        validation: Validation predictions: ``label``, ``probability``; a column ``role`` must
            be ``validation`` throughout.
        rule: ``youden`` for the largest sensitivity + specificity - 1 (Youden 1950), or
            ``sensitivity`` for the largest threshold that reaches the wanted sensitivity.
        wanted: The wanted sensitivity, 0 to 1, for the rule ``sensitivity``.

    Returns:
        The threshold, half-way between neighbouring probabilities, the one nearest to 0.5
        among equally good ones; 0.5 with a note where the rule's class is missing.

    Raises:
        InputError: For predictions of another role, invalid predictions, an unknown rule, and
            a wanted sensitivity outside 0 to 1.
    """
    require_validation(validation, "a threshold")
    if rule not in ("youden", "sensitivity"):
        raise InputError(f"rule must be 'youden' or 'sensitivity', got '{rule}'")
    if rule == "sensitivity" and (wanted is None or not 0 <= wanted <= 1):
        raise InputError(f"rule 'sensitivity' needs a wanted value from 0 to 1, got {wanted}")
    label, probability = checked_columns(validation)
    positives, negatives = probability[label == 1], probability[label == 0]
    name = rule if wanted is None else f"{rule} {wanted:g}"
    if len(positives) == 0 or (rule == "youden" and len(negatives) == 0):
        missing = "positive" if len(positives) == 0 else "negative"
        note = make_note(f"threshold_without_{missing}_images")
        shares = _shares(positives, negatives, np.array([THRESHOLD]))
        return ChosenThreshold(
            THRESHOLD, name, len(label), shares[0].item(), shares[1].item(), note
        )
    levels = np.unique(probability)
    # Below all images, between two neighbours, and above all (no image is predicted as positive).
    candidates = np.concatenate([levels[:1], (levels[1:] + levels[:-1]) / 2, [np.nextafter(1, 2)]])
    sensitivity, specificity = _shares(positives, negatives, candidates)
    if rule == "youden":
        index = _best(candidates, sensitivity + specificity)
    else:
        index = np.flatnonzero(sensitivity >= wanted - 1e-12)[-1]
    return ChosenThreshold(
        float(candidates[index]),
        name,
        len(label),
        float(sensitivity[index]),
        float(specificity[index]),
        "",
    )


def risk_coverage(
    predictions: pd.DataFrame, threshold: float | np.ndarray = THRESHOLD
) -> tuple[pd.DataFrame, float]:
    """Compute the error rate of the images that a model is most certain of, by their share.

    Confidence is the distance of the probability from the threshold. Images of the same
    confidence count with their mean error, so that the order of rows does not matter.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        threshold: A number, or one for every row.

    Returns:
        The curve (columns ``coverage``, ``risk``, ``images``), one row per number of images, and
        the area under it: the mean of the risks (Geifman and El-Yaniv 2017; Geifman, Uziel and
        El-Yaniv 2019, equation 3).
    """
    label, probability = checked_columns(predictions)
    thresholds = np.broadcast_to(threshold, label.shape)
    wrong = (probability >= thresholds) != (label == 1)
    return risk_curve(wrong, np.abs(probability - thresholds))


def risk_curve(wrong: np.ndarray, confidence: np.ndarray) -> tuple[pd.DataFrame, float]:
    """Compute the error rate by share of the images, the most certain ones first.

    Args:
        wrong: bool (images,), whether the prediction is wrong.
        confidence: float64 (images,), larger for more certain predictions.

    Returns:
        See :func:`risk_coverage`.
    """
    # Rounded, because equal distances on both sides of the threshold differ in the last bit.
    confidence = np.round(confidence, 12)
    _, tie = np.unique(-confidence, return_inverse=True)
    mean_error = (np.bincount(tie, wrong) / np.bincount(tie))[np.sort(tie)]
    images = np.arange(1, len(wrong) + 1)
    risk = np.cumsum(mean_error) / images
    curve = pd.DataFrame({"coverage": images / len(wrong), "risk": risk, "images": images})
    return curve, float(risk.mean())


def _shares(
    positives: np.ndarray, negatives: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    missed = np.searchsorted(np.sort(positives), thresholds, side="left")
    rejected = np.searchsorted(np.sort(negatives), thresholds, side="left")
    unknown = np.full(len(thresholds), np.nan)
    sensitivity = 1 - missed / len(positives) if len(positives) else unknown
    specificity = rejected / len(negatives) if len(negatives) else unknown
    return sensitivity, specificity


def _best(candidates: np.ndarray, score: np.ndarray) -> int:
    best = np.flatnonzero(score >= score.max() - 1e-12)
    return int(best[np.argmin(np.abs(candidates[best] - THRESHOLD))])
