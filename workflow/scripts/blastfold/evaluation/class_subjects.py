"""Results by subject and by picture over all classes of one model under one protocol."""

import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.fold_table import read_folds
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.manifest import read_manifest
from blastfold.core.names import PICTURE, SUBJECT, UNIT_LEVELS
from blastfold.core.noted_tables import require_notes, write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import predicted_classes, read_test_predictions
from blastfold.core.tables import write_table
from blastfold.core.units import BOTH_CLASSES, units_of
from blastfold.evaluation.subjects import known_units, units_in_training
from blastfold.statistics.class_units import (
    MEASURED,
    SHARE_ERROR,
    SHARES,
    UNIT_COLUMNS,
    class_unit_results,
    summarise_class_units,
)

logger = logging.getLogger(__name__)

CLASS_UNITS, CLASS_UNIT_RESULTS = "class_subjects", "class_subject_metrics"
"""The tables of :func:`evaluate_class_units`."""

SEVERAL = "several"
"""The class of a unit with images of several classes."""


def evaluate_class_units(
    predictions: str | os.PathLike,
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    manifest: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
) -> None:
    """Write the shares of classes of every subject and picture, and how well units are predicted.

    Args:
        predictions: Predictions of all folds.
        groups: Leakage groups of the data set.
        folds: Table of folds of the protocol.
        manifest: Manifest of the data set, which names subjects and pictures.
        outputs: Paths by name: class_subjects (level, unit, class and the columns of
            :func:`blastfold.statistics.class_units.summarise_class_units`, classes by name) and
            class_subject_metrics (level and
            :data:`blastfold.statistics.class_units.UNIT_COLUMNS`).

    Raises:
        InputError: A table is not as expected, or a predicted image is not in the manifest.
    """
    tested = read_test_predictions(predictions)
    named, group_of, split = read_manifest(manifest), read_groups(groups), read_folds(folds)
    classes, units, results = predicted_classes(tested), [], []
    for level in UNIT_LEVELS:
        of_level, measured = evaluate_class_level(tested, units_of(named, level), group_of, split)
        if level == PICTURE:
            measured = note_unknown(measured, [groups], tested["image_id"])
        units.append(of_level.assign(level=level))
        results.append(measured.assign(level=level))
    listed = _named(pd.concat(units, ignore_index=True), classes)
    require_notes(listed)
    write_table(listed, outputs[CLASS_UNITS])
    table = pd.concat(results, ignore_index=True)[["level", *UNIT_COLUMNS]]
    write_noted(table, outputs[CLASS_UNIT_RESULTS])
    number = int((listed["level"] == SUBJECT).sum())
    logger.info("%s", f"classes of {number} subjects" if number else "no subject is known")


def evaluate_class_level(
    tested: pd.DataFrame, unit_of: pd.Series, group_of: pd.Series, folds: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum up and measure the units of one level over all classes.

    Args and returns as :func:`blastfold.evaluation.subjects.evaluate_level`, with the tables of
    :mod:`blastfold.statistics.class_units`.
    """
    unit, known = known_units(tested, unit_of, group_of)
    if not known.any():
        return summarise_class_units(tested, unit).head(0), _undefined_results()
    units = summarise_class_units(tested[known], unit[known])
    members = tested.loc[known, "image_id"].map(group_of).to_numpy()
    group_of_unit = pd.Series(members, index=unit[known]).groupby(level=0).first()
    members = group_of_unit[units["unit"]].to_numpy()
    results = class_unit_results(units, predicted_classes(tested), members)
    missing, images = tested.loc[~known, "image_id"].nunique(), tested["image_id"].nunique()
    crossing = units_in_training(folds, unit_of)
    notes = [
        make_note("images_of_unknown_units", missing, images) if missing else "",
        make_note("units_in_training", crossing, len(units)) if crossing else "",
    ]
    return units, results.assign(note=[join_notes(note, *notes) for note in results["note"]])


def _named(units: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Replace indices of classes by their names; level, unit and class come first."""
    names = dict(enumerate(classes)) | {BOTH_CLASSES: SEVERAL}
    named = units.assign(**{"class": units["label"].map(names)}).drop(columns="label")
    for column in ("majority", "mean_call"):
        named[column] = named[column].map(names)
    first = ["level", "unit", "class"]
    return named[[*first, *(name for name in named.columns if name not in first)]]


def _undefined_results() -> pd.DataFrame:
    missing = dict.fromkeys(("value", "lower", "upper"), np.nan)
    sizes = {"method": "", "units": 0, "groups": 0, "note": make_note("no_unit_known")}
    rows = [
        {"call": call, "metric": metric} | missing | sizes
        for call, metrics in {**MEASURED, SHARES: (SHARE_ERROR,)}.items()
        for metric in metrics
    ]
    return pd.DataFrame(rows)[list(UNIT_COLUMNS)]
