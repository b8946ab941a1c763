"""Platt scaling, and whether a validation part is large enough to fit a calibration on."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize
from scipy.special import expit

from blastfold.core.notes import make_note
from blastfold.statistics.calibration import logits_of, require_validation
from blastfold.statistics.grouped import checked_columns

FEWEST_GROUPS = 5
"""A calibration is fitted where the validation part has at least so many groups of each class.

By simulation (``tests/benchmarks/test_subject_statistics.py``): with one group of each class a fit
makes the log-loss on new subjects much worse on average. With five, a model that needs calibration
gains about as much as one that needs none loses."""

LARGEST_SLOPE = 100.0
"""A slope beyond this, or below its inverse, means that the likelihood has no maximum."""


@dataclass(frozen=True)
class Platt:
    """Platt scaling fitted on validation predictions: new logit = slope * logit + intercept.

    Attributes:
        slope: Below 1 where the model is overconfident; 1 without a fit.
        intercept: Shifts all logits, for instance back after class weights; 0 without a fit.
        images: Number of validation images it was fitted on.
        loss_before: Negative log likelihood per image before.
        loss_after: Negative log likelihood per image after.
        note: What is special; empty otherwise.
    """

    slope: float
    intercept: float
    images: int
    loss_before: float
    loss_after: float
    note: str


def groups_note(validation: pd.DataFrame, fewest: int = FEWEST_GROUPS) -> str:
    """Return the note that refuses a fit on too few groups of a class, or an empty string.

    Args:
        validation: Validation predictions: ``label`` (0, 1) and ``group``.
        fewest: Number of groups that each class needs.
    """
    counts = [validation.loc[validation["label"] == label, "group"].nunique() for label in (0, 1)]
    return "" if min(counts) >= fewest else make_note("few_validation_groups", *counts, fewest)


def fit_platt(validation: pd.DataFrame) -> Platt:
    """Fit slope and intercept of the logit by maximum likelihood.

    Platt (1999), Probabilistic outputs for support vector machines, without his changed targets;
    the same as logistic recalibration (Cox 1958, Two further applications of a model for binary
    regression).

    Args:
        validation: Validation predictions: ``label``, ``probability``; a column ``role`` must
            be ``validation`` throughout.

    Returns:
        Slope and intercept; 1 and 0 with a note where there is no maximum.

    Raises:
        InputError: For predictions of another role, and for invalid predictions.
    """
    require_validation(validation, "Platt scaling")
    label, probability = checked_columns(validation)
    logits = logits_of(probability)

    def loss(line: np.ndarray) -> float:
        scaled = line[0] * logits + line[1]
        return float(np.mean(np.logaddexp(0, scaled) - label * scaled))

    def slope_of_loss(line: np.ndarray) -> np.ndarray:
        excess = expit(line[0] * logits + line[1]) - label
        return np.array([np.mean(excess * logits), np.mean(excess)])

    unchanged = np.array([1.0, 0.0])
    note = _no_fit(label, logits)
    line = unchanged
    if not note:
        found = optimize.minimize(loss, unchanged, jac=slope_of_loss, method="BFGS", tol=1e-8)
        line = found.x
        if not 1 / LARGEST_SLOPE < line[0] < LARGEST_SLOPE:
            line, note = unchanged, make_note("platt_without_maximum")
    return Platt(*map(float, line), len(label), loss(unchanged), loss(line), note)


def apply_platt(probability: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """Apply Platt scaling to probabilities of any shape."""
    return expit(slope * logits_of(np.asarray(probability, dtype=np.float64)) + intercept)


def _no_fit(label: np.ndarray, logits: np.ndarray) -> str:
    """Return why the likelihood has no single maximum, or an empty string."""
    if len(np.unique(label)) < 2:
        return make_note("platt_of_one_class")
    if np.ptp(logits) == 0:
        return make_note("platt_of_equal_probabilities")
    positive, negative = logits[label == 1], logits[label == 0]
    # Any threshold that separates the classes makes the likelihood grow without end.
    separated = positive.min() >= negative.max() or positive.max() <= negative.min()
    return make_note("platt_of_separated_classes") if separated else ""
