"""Results by subject and by picture of one model under one protocol, from stored predictions."""

import logging
import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.manifest import read_manifest
from blastfold.core.names import (
    PICTURE,
    SHOWN_METRICS,
    SUBJECT,
    TEST,
    THRESHOLD,
    TRAIN,
    UNIT_LEVELS,
)
from blastfold.core.noted_tables import require_notes, write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import class_pair, read_test_predictions
from blastfold.core.tables import write_table
from blastfold.core.units import BOTH_CLASSES, SCORES, units_of
from blastfold.statistics.units import (
    RESULT_COLUMNS,
    summarise_units,
    unit_results,
)

logger = logging.getLogger(__name__)

UNITS, RESULTS = "subjects", "subject_metrics"
"""The tables of :func:`evaluate_units`."""


def evaluate_units(
    predictions: Sequence[str | os.PathLike],
    manifest: str | os.PathLike,
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    outputs: Mapping[str, str | os.PathLike],
) -> None:
    """Write one row per subject and per picture, and the metrics of both.

    Args:
        predictions: Tables of all folds, see :func:`blastfold.core.predictions.read_predictions`.
        manifest: Manifest of the data set, which names subjects and pictures.
        groups: Leakage groups of the data set.
        folds: Table of folds of the protocol.
        outputs: Paths by name: subjects (level, then the columns of
            :func:`blastfold.statistics.units.summarise_units` with class, the name of its class),
            subject_metrics (level and :data:`blastfold.statistics.units.RESULT_COLUMNS`).

    Raises:
        InputError: A table is not as expected, or a predicted image is not in the manifest.
    """
    tested = read_test_predictions(predictions)
    named, group_of = read_manifest(manifest), read_groups(groups)
    split = read_folds(folds)
    units, results = [], []
    for level in UNIT_LEVELS:
        unit_of = units_of(named, level)
        of_level, measured = evaluate_level(tested, unit_of, group_of, split)
        if level == PICTURE:
            measured = note_unknown(measured, [groups], tested["image_id"])
        units.append(of_level.assign(level=level))
        results.append(measured.assign(level=level))
    listed = with_classes(pd.concat(units, ignore_index=True), class_pair(tested))
    require_notes(listed)
    write_table(listed, outputs[UNITS])
    table = pd.concat(results, ignore_index=True)
    write_noted(table[["level", *RESULT_COLUMNS]], outputs[RESULTS])
    number = int((listed["level"] == SUBJECT).sum())
    logger.info("%s", f"results of {number} subjects" if number else "no subject is known")


def evaluate_level(
    tested: pd.DataFrame, unit_of: pd.Series, group_of: pd.Series, folds: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum up and measure the units of one level.

    Args:
        tested: Test predictions.
        unit_of: Name of the unit by image_id, empty where unknown.
        group_of: Leakage group by image_id.
        folds: image_id, repeat, fold and role of the protocol.

    Returns:
        The table of :func:`blastfold.statistics.units.summarise_units`, and that of
        :func:`blastfold.statistics.units.unit_results`; without a known unit an empty one, and one
        of undefined values with the reason.

    Raises:
        InputError: A predicted image has no row in the manifest or no group.
    """
    unit, known = known_units(tested, unit_of, group_of)
    group = tested["image_id"].map(group_of)
    missing, images = tested.loc[~known, "image_id"].nunique(), tested["image_id"].nunique()
    units = summarise_units(tested[known], unit[known]) if known.any() else _no_units(tested, unit)
    if not known.any():
        return units, _undefined_results()
    group_of_unit = pd.Series(group[known].to_numpy(), index=unit[known]).groupby(level=0).first()
    results = unit_results(units, group_of_unit[units["unit"]].to_numpy())
    crossing = units_in_training(folds, unit_of)
    notes = [
        make_note("images_of_unknown_units", missing, images) if missing else "",
        make_note("units_in_training", crossing, len(units)) if crossing else "",
    ]
    return units, results.assign(note=[join_notes(note, *notes) for note in results["note"]])


def known_units(
    tested: pd.DataFrame, unit_of: pd.Series, group_of: pd.Series
) -> tuple[pd.Series, np.ndarray]:
    """Return the unit of every prediction, and whether it is known, bool (rows,).

    Args:
        tested: Test predictions.
        unit_of: Name of the unit by image_id, empty where unknown.
        group_of: Leakage group by image_id.

    Raises:
        InputError: A predicted image has no row in the manifest or no group.
    """
    unit = tested["image_id"].map(unit_of)
    for column, what in ((unit, "manifest"), (tested["image_id"].map(group_of), "groups")):
        if column.isna().any():
            name = tested.loc[column.isna(), "image_id"].iloc[0]
            raise InputError(f"{what}: image {name!r} is predicted and has no row, expected one")
    return unit, (unit != "").to_numpy()


def units_in_training(folds: pd.DataFrame, unit_of: pd.Series) -> int:
    """Count the units that have test images in a fold that trains on other images of them.

    Args:
        folds: image_id, repeat, fold, role.
        unit_of: Name of the unit by image_id, empty where unknown.
    """
    table = folds.assign(unit=folds["image_id"].map(unit_of).fillna(""))
    table = table[table["unit"] != ""]
    keys = ["repeat", "fold", "unit"]
    trained = table.loc[table["role"] == TRAIN, keys].drop_duplicates()
    tested = table.loc[table["role"] == TEST, keys].drop_duplicates()
    return tested.merge(trained, on=keys)["unit"].nunique()


def with_classes(units: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Name the class of every unit, and the class that each of its scores predicts.

    Returns:
        The table with ``class`` (both names where the unit has images of both) and
        ``predicted_by_<score>`` of each of :data:`blastfold.core.units.SCORES`.
    """
    names = dict(enumerate(classes)) | {BOTH_CLASSES: "+".join(classes)}
    columns = [name for name in units.columns if name not in ("level", "unit")]
    named = units.assign(**{"class": units["label"].map(names)})
    named = named[["level", "unit", "class", *columns]]
    called = {
        f"predicted_by_{score}": (units[score] >= THRESHOLD).astype(int).map(names)
        for score in SCORES
    }
    return named.assign(**called)


def _no_units(tested: pd.DataFrame, unit: pd.Series) -> pd.DataFrame:
    return summarise_units(tested, unit).head(0)


def _undefined_results() -> pd.DataFrame:
    missing = {"value": np.nan, "lower": np.nan, "upper": np.nan, "method": ""}
    counts = {"units": 0, "negative_units": 0, "positive_units": 0, "groups": 0}
    rows = [
        {"score": score, "metric": metric} | missing | counts | {"note": make_note("no_unit_known")}
        for score in SCORES
        for metric in SHOWN_METRICS
    ]
    return pd.DataFrame(rows)[list(RESULT_COLUMNS)]
