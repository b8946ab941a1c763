"""Calibration and operating points of one model under one protocol, from stored predictions.

Everything that is fitted here, a temperature or a threshold, is fitted fold by fold on that
fold's validation predictions and applied to its test predictions; ``fitted.json`` names the
images it was fitted on.
"""

import logging
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import write_json
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import OPERATING_METRICS, POOLED, THRESHOLD
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.predictions import (
    predicted_classes,
    read_test_predictions,
    read_validation_predictions,
)
from blastfold.core.seeds import generator
from blastfold.core.tables import write_table
from blastfold.evaluation.metrics import scopes
from blastfold.evaluation.validation_fits import (
    CHOSEN,
    Fitted,
    fit_folds,
    records_of,
    require_assigned,
    scale_probabilities,
)
from blastfold.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    reliability_bins,
)
from blastfold.statistics.intervals import interval
from blastfold.statistics.operating import risk_coverage
from blastfold.statistics.roc import roc_band, sensitivity_at_specificity

logger = logging.getLogger(__name__)

FIXED = "threshold-0.5"
"""The operating point of all other tables."""

SPECIFICITIES = (0.90, 0.95)
"""Specificities at which the sensitivity is read from the ROC curve."""

BEFORE, AFTER = "before", "after"
"""States of the probabilities: as the network gives them, and after temperature scaling."""

STRATEGIES = ("width", "mass")


def calibrate_model(
    predictions: list[str],
    folds: str,
    groups: str,
    seed: int,
    run: Sequence[str],
    outputs: dict[str, str],
) -> None:
    """Write how reliable the probabilities of one model are, and the results at thresholds.

    Args:
        predictions: Tables of all folds: image_id, fold, role, label, probability.
        folds: Table of folds: image_id, fold, role.
        groups: Leakage groups of the data set: image_id, group.
        seed: The experiment's seed.
        run: Names of data set, protocol and model, for the random draws.
        outputs: Paths by name: calibration, reliability, operating_points, risk_coverage, fitted.

    Raises:
        InputError: When predictions are missing or invalid, or the validation images are not
            those of the table of folds.
    """
    tested = read_test_predictions(predictions)
    validation = read_validation_predictions(predictions)
    require_assigned(validation, folds)
    fitted = fit_folds(validation, sorted(tested["fold"].unique()))
    tested = tested.assign(group=groups_of(tested, groups))
    scaled = scale_probabilities(tested, fitted)
    tables = {
        "calibration": calibration_table(tested, scaled, fitted),
        "reliability": reliability_table(tested, scaled),
        "operating_points": operating_table(tested, fitted, seed, run),
        "risk_coverage": risk_coverage_table(tested, scaled),
    }
    points = tables["operating_points"]
    tables["operating_points"] = note_unknown(points, [groups], tested["image_id"])
    for name, table in tables.items():
        write_table(table, outputs[name])
    write_json(records_of(fitted), outputs["fitted"])
    pooled = tables["calibration"].iloc[-1]
    logger.info(
        "calibration error %.4f, after temperature scaling %.4f (pooled, bins of equal width)",
        pooled["calibration_error_width"],
        pooled["calibration_error_width_after"],
    )


def estimate_roc_band(
    predictions: list[str], groups: str, seed: int, run: Sequence[str], output: str
) -> None:
    """Write the pooled ROC curve with its bands and the AUC with its interval.

    Args:
        predictions: Tables of all folds: image_id, fold, role, label, probability.
        groups: Leakage groups of the data set: image_id, group.
        seed: The experiment's seed.
        run: Names of data set, protocol and model, for the random draws.
        output: Table to write, see :func:`blastfold.statistics.roc.roc_band`; with auc,
            auc_lower, auc_upper and auc_note, the same in every row. No rows where the test
            images are of one class.
    """
    tested = read_test_predictions(predictions)
    group = groups_of(tested, groups)
    both = tested["label"].nunique() == 2
    # The columns of a curve without rows are those of any other.
    shown = tested if both else pd.DataFrame({"label": [0, 1], "probability": [0.0, 1.0]})
    group = group if both else None
    band = roc_band(shown, group, generator(seed, "roc_band", *run))
    area = interval("auc", shown, group)
    band = band.assign(
        auc=area.value, auc_lower=area.lower, auc_upper=area.upper, auc_note=area.note
    )
    if not both:
        logger.warning("the test images are of one class only: no curve and no band")
        band = band.head(0)
    write_table(band, output)


def groups_of(tested: pd.DataFrame, groups: str) -> np.ndarray:
    """Look up the leakage group of every prediction.

    Args:
        tested: Predictions: image_id.
        groups: Table: image_id, group.

    Returns:
        Names of the groups, (rows,).

    Raises:
        InputError: When an image has no group.
    """
    found = tested["image_id"].map(read_groups(groups))
    if found.isna().any():
        names = tested.loc[found.isna(), "image_id"]
        raise InputError(
            f"{groups}: no row for {len(names)} of the predicted images, for instance "
            f"{names.iloc[0]}; expected a group for each"
        )
    return found.to_numpy()


def calibration_table(tested: pd.DataFrame, scaled: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """Measure calibration before and after temperature scaling, by fold and pooled.

    Args:
        tested: Test predictions: fold, label, probability.
        scaled: The same after :func:`scale_probabilities`.
        fitted: From :func:`fit_folds`.

    Returns:
        scope, images, validation_images, temperature, then calibration_error_width,
        calibration_error_mass (15 bins of equal width and of equally many images), brier and
        risk_coverage_area, each again with ``_after``; note.
    """
    rows = []
    for (scope, before), (_, after) in zip(scopes(tested), scopes(scaled), strict=True):
        parts = [fitted[fold] for fold in before["fold"].unique()]
        notes = {fold: fitted[fold].temperature.note for fold in before["fold"].unique()}
        several = make_note("temperature_per_fold") if len(parts) > 1 else ""
        row = {
            "scope": scope,
            "images": len(before),
            "validation_images": sum(part.images for part in parts),
            "temperature": parts[0].temperature.value if len(parts) == 1 else math.nan,
        }
        row |= _calibration(before)
        row |= {f"{name}_after": value for name, value in _calibration(after).items()}
        row["note"] = join_notes(several, _by_fold(notes))
        rows.append(row)
    return pd.DataFrame(rows)


def reliability_table(tested: pd.DataFrame, scaled: pd.DataFrame) -> pd.DataFrame:
    """Bin the probabilities before and after temperature scaling, by fold and pooled.

    Returns:
        scope, state (before, after), strategy (width, mass), the columns of
        :func:`blastfold.statistics.calibration.reliability_bins` and positive_class (name).
    """
    tables = []
    for state, predictions in ((BEFORE, tested), (AFTER, scaled)):
        for scope, images in scopes(predictions):
            for strategy in STRATEGIES:
                bins = reliability_bins(images, strategy=strategy)
                named = {"scope": scope, "state": state, "strategy": strategy}
                tables.append(pd.DataFrame(named, index=bins.index).join(bins))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(positive_class=predicted_classes(tested)[-1])


def risk_coverage_table(tested: pd.DataFrame, scaled: pd.DataFrame) -> pd.DataFrame:
    """Compute the risk-coverage curves at the threshold 0.5, by fold and pooled.

    A temperature changes no order within a fold, so that only the pooled curve can change.

    Returns:
        scope, state (before, after; after for the pooled curve alone), coverage, risk, images.
    """
    curves = [(scope, BEFORE, images) for scope, images in scopes(tested)]
    curves.append((POOLED, AFTER, scaled))
    tables = []
    for scope, state, images in curves:
        curve = risk_coverage(images)[0]
        tables.append(pd.DataFrame({"scope": scope, "state": state}, index=curve.index).join(curve))
    return pd.concat(tables, ignore_index=True)


def operating_table(
    tested: pd.DataFrame, fitted: Fitted, seed: int, run: Sequence[str]
) -> pd.DataFrame:
    """Measure the result of every operating point on the test images, with 95 % intervals.

    Args:
        tested: Test predictions: fold, label, probability, group.
        fitted: From :func:`fit_folds`.
        seed: The experiment's seed.
        run: Names of data set, protocol and model.

    Returns:
        scope, operating_point, threshold_min and threshold_max (over the folds of the scope),
        sensitivity, specificity and accuracy, each followed by its ``_lower`` and ``_upper``
        (over groups; of the pooled images alone), images, groups, note. The rows
        ``specificity-...`` are pooled alone.
    """
    rows = []
    for name in (FIXED, *CHOSEN):
        for scope, images in scopes(tested):
            parts = {fold: fitted[fold].thresholds.get(name) for fold in images["fold"].unique()}
            thresholds = {fold: part.value if part else THRESHOLD for fold, part in parts.items()}
            used = images["fold"].map(thresholds).to_numpy()
            row = {"scope": scope, "operating_point": name}
            row |= {"threshold_min": used.min(), "threshold_max": used.max()}
            measured, note = _measured(images, used, scope == POOLED)
            chosen = _by_fold({fold: part.note if part else "" for fold, part in parts.items()})
            rows.append(row | measured | {"note": join_notes(chosen, note)})
    rows += [_at_specificity(tested, wanted, seed, run) for wanted in SPECIFICITIES]
    return pd.DataFrame(rows)


def _calibration(predictions: pd.DataFrame) -> dict[str, float]:
    errors = {
        f"calibration_error_{strategy}": expected_calibration_error(predictions, strategy=strategy)
        for strategy in STRATEGIES
    }
    area = risk_coverage(predictions)[1]
    return errors | {"brier": brier_score(predictions), "risk_coverage_area": area}


def _measured(
    images: pd.DataFrame, thresholds: np.ndarray, pooled: bool
) -> tuple[dict[str, float], str]:
    row, notes = {}, {}
    for measure in OPERATING_METRICS:
        found = interval(measure, images, images["group"].to_numpy(), threshold=thresholds)
        independent = interval(measure, images, None, "wilson", threshold=thresholds)
        limits = (found.lower, found.upper) if pooled else (math.nan, math.nan)
        row |= _with_limits(measure, found.value, *limits)
        narrower = found.upper - found.lower < independent.upper - independent.lower
        notes[measure] = join_notes(
            found.note if pooled or math.isnan(found.value) else "",
            make_note("too_narrow") if pooled and narrower else "",
        )
    counts = {"images": len(images), "groups": images["group"].nunique()}
    no_limits = "" if pooled else make_note("limits_of_pooled_images_only")
    return row | counts, join_notes(no_limits, notes_about(notes))


def _at_specificity(
    tested: pd.DataFrame, wanted: float, seed: int, run: Sequence[str]
) -> dict[str, float | str]:
    name = f"specificity-{wanted:.2f}"
    row = {"scope": POOLED, "operating_point": name}
    row |= {"threshold_min": math.nan, "threshold_max": math.nan}
    limits, note = (math.nan, math.nan, math.nan), make_note("one_class")
    if tested["label"].nunique() == 2:
        random_generator = generator(seed, name, *run)
        group = tested["group"].to_numpy()
        found = sensitivity_at_specificity(tested, wanted, group, random_generator)
        limits, note = (found.value, found.lower, found.upper), found.note
    row |= _with_limits("sensitivity", *limits)
    row |= _with_limits("specificity", wanted, math.nan, math.nan)
    row |= _with_limits("accuracy", math.nan, math.nan, math.nan)
    row |= {"images": len(tested), "groups": tested["group"].nunique()}
    return row | {"note": join_notes(make_note("threshold_of_the_test_images"), note)}


def _with_limits(name: str, value: float, lower: float, upper: float) -> dict[str, float]:
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}


def _by_fold(notes: dict[int, str]) -> str:
    """Join the notes of folds, each with the folds it is about where there are several."""
    if len(notes) == 1:
        return join_notes(*notes.values())
    return notes_about({f"fold-{fold}": note for fold, note in sorted(notes.items())})
