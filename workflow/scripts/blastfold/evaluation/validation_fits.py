"""What is fitted on the validation part of a fold: its temperature and its thresholds.

No test prediction is used here, and each fit is stored with the digest of its images.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.core.fold_table import read_folds
from blastfold.core.names import THRESHOLD, VALIDATION
from blastfold.core.notes import make_note
from blastfold.statistics.calibration import Temperature, apply_temperature, fit_temperature
from blastfold.statistics.operating import ChosenThreshold, choose_threshold

CHOSEN = {"youden": ("youden", None), "sensitivity-0.95": ("sensitivity", 0.95)}
"""Operating points whose threshold is chosen on validation: the rule and what it aims at."""


@dataclass(frozen=True)
class FittedFold:
    """What was fitted on the validation part of one fold.

    Attributes:
        images: Number of validation images.
        fitted_on: Digest of their ids (:func:`blastfold.core.files.digest_names`).
        temperature: The temperature, 1 with a note where it cannot be fitted.
        thresholds: By name of :data:`CHOSEN`; 0.5 with a note where none can be chosen.
    """

    images: int
    fitted_on: str
    temperature: Temperature
    thresholds: dict[str, ChosenThreshold]


Fitted = dict[int, FittedFold]


def require_assigned(validation: pd.DataFrame, folds: str) -> None:
    """Check that the validation predictions are of the images that the split assigned.

    Args:
        validation: Validation predictions: image_id, fold.
        folds: Table of folds, see :func:`blastfold.core.fold_table.read_folds`.

    Raises:
        InputError: Names the fold and how many images differ.
    """
    table = read_folds(folds)
    assigned = table[table["role"] == VALIDATION].groupby("fold")["image_id"].agg(set).to_dict()
    predicted = validation.groupby("fold")["image_id"].agg(set).to_dict()
    for fold in sorted(assigned.keys() | predicted.keys()):
        expected, got = assigned.get(fold, set()), predicted.get(fold, set())
        if expected != got:
            differing = sorted(expected ^ got)
            raise InputError(
                f"{folds}: fold {fold} has {len(expected)} validation images, but there are "
                f"validation predictions of {len(got)}; {len(differing)} differ, for instance "
                f"{differing[0]}. Expected predictions of exactly the images of the split"
            )


def fit_folds(validation: pd.DataFrame, folds: Sequence[int]) -> Fitted:
    """Fit the temperature and choose the thresholds of every fold on its validation part.

    Args:
        validation: Validation predictions: image_id, fold, role, label, probability.
        folds: Numbers of the folds.

    Returns:
        What was fitted, by fold; defined values with a note where there is nothing to fit on.
    """
    fitted = {}
    for fold in folds:
        part = validation[validation["fold"] == fold]
        if part.empty:
            note = make_note("temperature_without_validation")
            temperature = Temperature(1.0, 0, math.nan, math.nan, note)
        else:
            temperature = fit_temperature(part)
        thresholds = {name: _choose(part, *rule) for name, rule in CHOSEN.items()}
        digest = digest_names(part["image_id"])
        fitted[int(fold)] = FittedFold(len(part), digest, temperature, thresholds)
    return fitted


def scale_probabilities(tested: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """Return the predictions with the temperature of their fold applied."""
    scaled = tested["probability"].astype(np.float64).copy()
    for fold, parts in fitted.items():
        rows = tested["fold"] == fold
        scaled[rows] = apply_temperature(scaled[rows].to_numpy(), parts.temperature.value)
    return tested.assign(probability=scaled)


def records_of(fitted: Fitted) -> list[dict[str, Any]]:
    """Return what was fitted in every fold, and on which images, as JSON can hold it."""
    return [
        dict(_without_nan({"fold": fold, "role": VALIDATION, **asdict(parts)}))
        for fold, parts in fitted.items()
    ]


def _choose(validation: pd.DataFrame, rule: str, wanted: float | None) -> ChosenThreshold:
    if len(validation):
        return choose_threshold(validation, rule, wanted)
    name = rule if wanted is None else f"{rule} {wanted:g}"
    note = make_note("threshold_without_validation")
    return ChosenThreshold(THRESHOLD, name, 0, math.nan, math.nan, note)


def _without_nan(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """JSON has no NaN; the note of the value gives the reason."""
    for key, value in record.items():
        if isinstance(value, dict):
            yield key, dict(_without_nan(value))
        else:
            yield key, None if isinstance(value, float) and math.isnan(value) else value
