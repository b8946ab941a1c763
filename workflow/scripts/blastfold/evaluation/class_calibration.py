"""Calibration of all classes of one model, and its errors by how certain it is."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blastfold.core.class_tables import (
    CALIBRATION_COLUMNS,
    CLASS_STATES,
    RELIABILITY_COLUMNS,
    RISK_COLUMNS,
    VECTOR,
)
from blastfold.core.group_table import read_groups
from blastfold.core.names import AFTER, BEFORE, POOLED
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import (
    PREFIX,
    predicted_classes,
    read_test_predictions,
    read_validation_predictions,
)
from blastfold.core.tables import write_table
from blastfold.evaluation.class_results import ALL
from blastfold.evaluation.metrics import scopes
from blastfold.evaluation.validation_fits import notes_by_fold, require_assigned
from blastfold.statistics.calibration import Temperature, number_of_bins, reliability_bins
from blastfold.statistics.calibration_intervals import grouped_bins
from blastfold.statistics.class_calibration import (
    VectorScaling,
    apply_class_temperature,
    apply_vector_scaling,
    class_groups_note,
    class_logits,
    classwise_errors,
    fit_class_temperature,
    fit_vector_scaling,
)
from blastfold.statistics.class_grouped import checked_classes
from blastfold.statistics.operating import risk_curve
from blastfold.statistics.pairing import pair_groups

logger = logging.getLogger(__name__)

CLASS_CALIBRATION, CLASS_RISK = "class_calibration", "class_risk_coverage"
CLASS_RELIABILITY = "class_reliability"
"""The tables of :func:`calibrate_classes`."""


@dataclass(frozen=True)
class FittedClasses:
    """What was fitted on the validation part of one fold: one temperature, and vector scaling."""

    temperature: Temperature
    vector: VectorScaling


def calibrate_classes(
    predictions: str | os.PathLike,
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
) -> None:
    """Write how reliable the probabilities of all classes are, and errors by certainty.

    Args:
        predictions: Predictions of all folds.
        groups: Leakage groups of the data set.
        folds: Table of folds of the protocol.
        outputs: Paths by name: class_calibration (:func:`class_calibration_table`),
            class_reliability (:func:`class_reliability_table`) and class_risk_coverage
            (:func:`class_risk_table`).

    Raises:
        InputError: A table is not as expected, an image has no group, or the validation images are
            not those of the table of folds.
    """
    tested, validation = (
        read_test_predictions(predictions),
        read_validation_predictions(predictions),
    )
    require_assigned(validation, folds)
    by_image = read_groups(groups)
    validation = validation.assign(group=pair_groups(validation, by_image))
    tested = tested.assign(group=pair_groups(tested, by_image))
    fitted = fit_classes(validation, predicted_classes(tested), sorted(tested["fold"].unique()))
    table = class_calibration_table(tested, fitted)
    write_noted(table, outputs[CLASS_CALIBRATION])
    write_noted(class_reliability_table(tested, fitted), outputs[CLASS_RELIABILITY])
    write_table(class_risk_table(tested), outputs[CLASS_RISK])
    whole = table[(table["scope"] == POOLED) & (table["class"] == ALL)].set_index("state")
    error = whole["calibration_error"]
    logger.info(
        "classwise calibration error %.4f, after temperature %.4f (pooled)",
        *(error[BEFORE], error[AFTER]),
    )


def fit_classes(
    validation: pd.DataFrame, classes: Sequence[str], folds: Sequence[int]
) -> dict[int, FittedClasses]:
    """Fit temperature and vector scaling of every fold on its validation part.

    Args:
        validation: Validation predictions: fold, role, class_label, group and the probability of
            every class; may be empty.
        classes: Names of the classes.
        folds: Numbers of the folds.

    Returns:
        What was fitted, by fold; nothing is changed, with a note, without validation images and
        where a class has too few groups.
    """
    fitted = {}
    for fold in folds:
        part = validation[validation["fold"] == fold]
        note = class_groups_note(part, len(classes))
        note = note if len(part) else make_note("temperature_without_validation")
        if note:
            nothing = len(part), np.nan, np.nan, note
            unchanged = np.ones(len(classes)), np.zeros(len(classes))
            parts = Temperature(1.0, *nothing), VectorScaling(*unchanged, *nothing)
        else:
            parts = fit_class_temperature(part), fit_vector_scaling(part)
        fitted[int(fold)] = FittedClasses(*parts)
    return fitted


def class_calibration_table(
    tested: pd.DataFrame, fitted: Mapping[int, FittedClasses]
) -> pd.DataFrame:
    """Measure calibration of every class in every state, by fold and pooled.

    Args:
        tested: Test predictions: fold, class_label and the probability of every class.
        fitted: From :func:`fit_classes`.

    Returns:
        Columns :data:`CALIBRATION_COLUMNS`; class is empty for the mean over the classes, which
        alone has a log-loss. temperature is that of a fold.
    """
    classes, states = predicted_classes(tested), _states(tested, fitted)
    label, before = checked_classes(tested)
    changed = int((states[VECTOR].argmax(axis=1) != before.argmax(axis=1)).sum())
    rows = []
    for scope, images in scopes(tested):
        parts = {fold: fitted[fold] for fold in images["fold"].unique()}
        place = tested.index.get_indexer(images.index)
        for state in CLASS_STATES:
            note = _fit_note(parts, state)
            if state == VECTOR and scope == POOLED and changed:
                note = join_notes(make_note("vector_changes_classes", changed, len(tested)), note)
            row = {"scope": scope, "state": state, "images": images["image_id"].nunique()}
            row["validation_images"] = sum(part.temperature.images for part in parts.values())
            single = next(iter(parts.values())) if len(parts) == 1 else None
            row["temperature"] = single.temperature.value if single else np.nan
            several = "" if single else make_note("temperature_per_fold")
            row["note"] = join_notes(several, note)
            bins = number_of_bins(images)
            measured = _measured(classes, label[place], states[state][place], bins)
            rows += [row | values for values in measured]
    return pd.DataFrame(rows)[list(CALIBRATION_COLUMNS)]


def class_reliability_table(
    tested: pd.DataFrame, fitted: Mapping[int, FittedClasses]
) -> pd.DataFrame:
    """Bin the probability of every class in every state, all folds taken together.

    Args:
        tested: Test predictions: image_id, fold, class_label, group and the probability of every
            class.
        fitted: From :func:`fit_classes`.

    Returns:
        Columns :data:`RELIABILITY_COLUMNS`: bins of equal width that hold images, as many as for
        the calibration error. positive_share is the share of images of the class, with its
        interval over groups.
    """
    states = _states(tested, fitted)
    label = tested["class_label"].to_numpy()
    group, tables = tested["group"].to_numpy(), []
    for state in CLASS_STATES:
        for place, name in enumerate(predicted_classes(tested)):
            images = tested[["image_id"]].assign(
                label=(label == place).astype(np.int64), probability=states[state][:, place]
            )
            bins = reliability_bins(images).drop(columns=["lower", "upper"])
            named = {"scope": POOLED, "state": state, "class": name}
            tables.append(bins.join(grouped_bins(images, group)).assign(**named))
    return pd.concat(tables, ignore_index=True)[list(RELIABILITY_COLUMNS)]


def class_risk_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of wrong classes among the images that a model is most certain of.

    A model is as certain as its most probable class is probable.

    Returns:
        scope, coverage, risk, images and area (of the curve, in every row), by fold and pooled.
    """
    tables = []
    for scope, images in scopes(tested):
        label, probability = checked_classes(images)
        wrong = probability.argmax(axis=1) != label
        curve, area = risk_curve(wrong, probability.max(axis=1))
        tables.append(curve.assign(scope=scope, area=area))
    table = pd.concat(tables, ignore_index=True)
    return table[list(RISK_COLUMNS)]


def _states(tested: pd.DataFrame, fitted: Mapping[int, FittedClasses]) -> dict[str, np.ndarray]:
    """Return the probabilities (rows, classes) by state."""
    before = tested[[PREFIX + name for name in predicted_classes(tested)]].to_numpy(np.float64)
    after, vector = before.copy(), before.copy()
    for fold, parts in fitted.items():
        rows = (tested["fold"] == fold).to_numpy()
        after[rows] = apply_class_temperature(before[rows], parts.temperature.value)
        scaling = parts.vector
        vector[rows] = apply_vector_scaling(before[rows], scaling.weight, scaling.bias)
    return {BEFORE: before, AFTER: after, VECTOR: vector}


def _fit_note(parts: Mapping[int, FittedClasses], state: str) -> str:
    if state == BEFORE:
        return ""
    name = "temperature" if state == AFTER else "vector"
    return notes_by_fold({fold: getattr(part, name).note for fold, part in parts.items()})


def _measured(
    classes: Sequence[str], label: np.ndarray, probability: np.ndarray, bins: int
) -> Iterator[dict]:
    """Yield class, calibration_error and log_loss: the mean over classes, then each class."""
    errors = classwise_errors(label, probability, bins)
    own = np.take_along_axis(class_logits(probability), label[:, np.newaxis], axis=1)
    loss = float(-own.mean())
    yield {"class": ALL, "calibration_error": float(errors.mean()), "log_loss": loss}
    for name, error in zip(classes, errors, strict=True):
        yield {"class": name, "calibration_error": float(error), "log_loss": loss}
