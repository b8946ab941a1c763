"""What is fitted on the validation part of a fold: temperature, Platt scaling and thresholds.

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
from blastfold.core.names import AFTER, BEFORE, PLATT, THRESHOLD, VALIDATION, fold_scope
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.statistics.calibration import Temperature, apply_temperature, fit_temperature
from blastfold.statistics.operating import ChosenThreshold, choose_threshold
from blastfold.statistics.recalibration import Platt, apply_platt, fit_platt, groups_note

CHOSEN = {"youden": ("youden", None), "sensitivity-0.95": ("sensitivity", 0.95)}
"""Operating points whose threshold is chosen on validation: the rule and what it aims at."""


@dataclass(frozen=True)
class FittedFold:
    """What was fitted on the validation part of one fold.

    Attributes:
        images: Number of validation images.
        positives: Number of those of the positive class, which every threshold rests on.
        positive_groups: Number of leakage groups of the latter.
        fitted_on: Digest of the ids (:func:`blastfold.core.files.digest_names`).
        temperature: The temperature, 1 with a note where it cannot be fitted.
        platt: Slope and intercept, 1 and 0 with a note where they cannot be fitted.
        thresholds: By name of :data:`CHOSEN`; 0.5 with a note where none can be chosen.
    """

    images: int
    positives: int
    positive_groups: int
    fitted_on: str
    temperature: Temperature
    platt: Platt
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
    """Fit calibration and thresholds of every fold on its validation part.

    Temperature and Platt scaling are refused where a class has too few leakage groups (see
    :data:`blastfold.statistics.recalibration.FEWEST_GROUPS`).

    Args:
        validation: Validation predictions: image_id, fold, role, label, probability, group.
        folds: Numbers of the folds.

    Returns:
        What was fitted, by fold; defined values with a note where there is nothing to fit on.
    """
    fitted = {}
    for fold in folds:
        part = validation[validation["fold"] == fold]
        positive = part[part["label"] == 1]
        counts = len(part), len(positive), int(positive["group"].nunique())
        digest = digest_names(part["image_id"])
        thresholds = {name: _choose(part, *rule) for name, rule in CHOSEN.items()}
        fitted[int(fold)] = FittedFold(*counts, digest, *_fit_calibration(part), thresholds)
    return fitted


def scale_probabilities(tested: pd.DataFrame, fitted: Fitted) -> dict[str, pd.DataFrame]:
    """Return the predictions by state: unchanged, with temperature and with Platt scaling.

    Each fold's test predictions are changed by what was fitted on its validation part.
    """
    given = tested["probability"].astype(np.float64)
    scaled, shifted = given.copy(), given.copy()
    for fold, parts in fitted.items():
        rows = tested["fold"] == fold
        probability = given[rows].to_numpy()
        scaled[rows] = apply_temperature(probability, parts.temperature.value)
        shifted[rows] = apply_platt(probability, parts.platt.slope, parts.platt.intercept)
    changed = {BEFORE: given, AFTER: scaled, PLATT: shifted}
    return {state: tested.assign(probability=values) for state, values in changed.items()}


def records_of(fitted: Fitted) -> list[dict[str, Any]]:
    """Return what was fitted in every fold, and on which images, as JSON can hold it."""
    return [
        dict(_without_nan({"fold": fold, "role": VALIDATION, **asdict(parts)}))
        for fold, parts in fitted.items()
    ]


def notes_by_fold(notes: dict[int, str]) -> str:
    """Join the notes of folds, each with the folds it is about where there are several."""
    if len(notes) == 1:
        return join_notes(*notes.values())
    return notes_about({fold_scope(fold): note for fold, note in sorted(notes.items())})


def _fit_calibration(part: pd.DataFrame) -> tuple[Temperature, Platt]:
    note = make_note("temperature_without_validation") if part.empty else groups_note(part)
    if note:
        nothing = len(part), math.nan, math.nan, note
        return Temperature(1.0, *nothing), Platt(1.0, 0.0, *nothing)
    return fit_temperature(part), fit_platt(part)


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
