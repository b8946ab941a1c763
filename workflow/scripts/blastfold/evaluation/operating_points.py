"""Calibration and operating points of one model under one protocol, from stored predictions.

Everything that is fitted here, a calibration or a threshold, is fitted fold by fold on that
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
from blastfold.core.names import OPERATING_METRICS, POOLED, THRESHOLD, THRESHOLD_POINT
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.predictions import (
    read_test_predictions,
    read_validation_predictions,
)
from blastfold.core.seeds import generator
from blastfold.core.tables import write_table
from blastfold.evaluation.calibration import (
    calibration_table,
    reliability_table,
    risk_coverage_table,
)
from blastfold.evaluation.intervals import quoted_method
from blastfold.evaluation.metrics import scopes
from blastfold.evaluation.validation_fits import (
    CHOSEN,
    Fitted,
    FittedFold,
    fit_folds,
    notes_by_fold,
    records_of,
    require_assigned,
    scale_probabilities,
)
from blastfold.statistics.decision import decision_curve
from blastfold.statistics.grouped import repeat_count
from blastfold.statistics.intervals import interval
from blastfold.statistics.predictive_values import (
    Rate,
    negative_predictive_value,
    positive_predictive_value,
)
from blastfold.statistics.roc import roc_band, sensitivity_at_specificity

logger = logging.getLogger(__name__)

SPECIFICITIES = (0.90, 0.95)
"""Specificities at which the sensitivity is read from the ROC curve."""

VALIDATION_COUNTS = ("validation_positives", "validation_positive_groups")
"""What a chosen threshold rests on: validation images of the positive class, and their groups."""


def calibrate_model(
    predictions: list[str],
    folds: str,
    groups: str,
    seed: int,
    run: Sequence[str],
    prevalence: Sequence[float],
    outputs: dict[str, str],
) -> None:
    """Write how reliable the probabilities of one model are, and the results at thresholds.

    Args:
        predictions: Tables of all folds: image_id, fold, role, label, probability.
        folds: Table of folds: image_id, fold, role.
        groups: Leakage groups of the data set: image_id, group.
        seed: The experiment's seed.
        run: Names of data set, protocol and model, for the random draws.
        prevalence: Prevalences of the positive class for the predictive values.
        outputs: Paths by name: calibration, reliability, operating_points, risk_coverage,
            predictive_values, decision_curve, fitted.

    Raises:
        InputError: When predictions are missing or invalid, or the validation images are not
            those of the table of folds.
    """
    tested = read_test_predictions(predictions)
    validation = read_validation_predictions(predictions)
    require_assigned(validation, folds)
    validation = validation.assign(group=groups_of(validation, groups))
    fitted = fit_folds(validation, sorted(tested["fold"].unique()))
    tested = tested.assign(group=groups_of(tested, groups))
    states = scale_probabilities(tested, fitted)
    points = operating_table(tested, fitted)
    tables = {
        "calibration": calibration_table(states, fitted, seed, run),
        "reliability": reliability_table(states),
        "operating_points": points,
        "risk_coverage": risk_coverage_table(states),
        "predictive_values": predictive_table(points, prevalence),
        "decision_curve": decision_table(tested),
    }
    for name in set(tables) - {"risk_coverage"}:
        tables[name] = note_unknown(tables[name], [groups], tested["image_id"])
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
    area = interval("auc", shown, group, quoted_method(shown, group) if both else "auto")
    band = band.assign(
        auc=area.value, auc_lower=area.lower, auc_upper=area.upper, auc_note=area.note
    )
    if not both:
        logger.warning("the test images are of one class only: no curve and no band")
        band = band.head(0)
    write_table(note_unknown(band, [groups], tested["image_id"]), output)


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


def operating_table(tested: pd.DataFrame, fitted: Fitted) -> pd.DataFrame:
    """Measure the result of every operating point on the test images, with 95 % intervals.

    Args:
        tested: Test predictions: fold, label, probability, group.
        fitted: From :func:`fit_folds`.

    Returns:
        scope, operating_point, threshold_min and threshold_max (over the folds of the scope),
        :data:`VALIDATION_COUNTS` with ``_min`` and ``_max`` (0 where no threshold is chosen),
        sensitivity, specificity and accuracy, each followed by its ``_lower`` and ``_upper``
        (over groups; of the pooled images alone), images, groups, note. The rows
        ``specificity-...`` are pooled alone.
    """
    rows = []
    for name in (THRESHOLD_POINT, *CHOSEN):
        for scope, images in scopes(tested):
            parts = {fold: fitted[fold].thresholds.get(name) for fold in images["fold"].unique()}
            thresholds = {fold: part.value if part else THRESHOLD for fold, part in parts.items()}
            used = images["fold"].map(thresholds).to_numpy()
            row = {"scope": scope, "operating_point": name}
            row |= {"threshold_min": used.min(), "threshold_max": used.max()}
            row |= _validation_counts([fitted[fold] for fold in parts], name in CHOSEN)
            measured, note = _measured(images, used, scope == POOLED)
            chosen = notes_by_fold(
                {fold: part.note if part else "" for fold, part in parts.items()}
            )
            rows.append(row | measured | {"note": join_notes(chosen, note)})
    rows += [_at_specificity(tested, wanted) for wanted in SPECIFICITIES]
    return pd.DataFrame(rows)


def predictive_table(points: pd.DataFrame, prevalence: Sequence[float]) -> pd.DataFrame:
    """Compute predictive values at stated prevalences from the pooled operating points.

    Args:
        points: From :func:`operating_table`.
        prevalence: Shares of the positive class where the model is to be used.

    Returns:
        operating_point, prevalence, ppv and npv (positive and negative predictive value), each
        with ``_lower`` and ``_upper``; note. Operating points on the ROC curve are left out: their
        threshold comes from the test images.
    """
    rows = []
    for _, point in points[points["scope"] == POOLED].iterrows():
        if point["operating_point"] not in (THRESHOLD_POINT, *CHOSEN):
            continue
        sensitivity, specificity = (
            Rate(*(point[f"{name}{end}"] for end in ("", "_lower", "_upper")))
            for name in ("sensitivity", "specificity")
        )
        for share in prevalence:
            positive = positive_predictive_value(sensitivity, specificity, share)
            negative = negative_predictive_value(sensitivity, specificity, share)
            row = {"operating_point": point["operating_point"], "prevalence": share}
            row |= _with_limits("ppv", *positive[:3]) | _with_limits("npv", *negative[:3])
            rows.append(row | {"note": join_notes(point["note"], positive.note, negative.note)})
    columns = ["operating_point", "prevalence", *_with_limits("ppv", 0, 0, 0)]
    return pd.DataFrame(rows, columns=[*columns, *_with_limits("npv", 0, 0, 0), "note"])


def decision_table(tested: pd.DataFrame) -> pd.DataFrame:
    """Compute the decision curve of the pooled test images.

    Returns:
        The columns of :func:`blastfold.statistics.decision.decision_curve`, images, groups and
        positive_share (the share of the positive class, to which the net benefit belongs).
    """
    curve = decision_curve(tested, tested["group"].to_numpy())
    return curve.assign(
        images=round(len(tested) / repeat_count(tested)),
        groups=tested["group"].nunique(),
        positive_share=float((tested["label"] == 1).mean()),
    )


def _measured(
    images: pd.DataFrame, thresholds: np.ndarray, pooled: bool
) -> tuple[dict[str, float], str]:
    row, notes = {}, {}
    groups = images["group"].to_numpy()
    method = quoted_method(images, groups) if pooled else "auto"
    for measure in OPERATING_METRICS:
        found = interval(measure, images, groups, method, threshold=thresholds)
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


def _validation_counts(parts: Sequence[FittedFold], chosen: bool) -> dict[str, int]:
    found = {
        "validation_positives": [part.positives for part in parts],
        "validation_positive_groups": [part.positive_groups for part in parts],
    }
    counts = {name: found[name] if chosen else [0] for name in VALIDATION_COUNTS}
    ends = (("_min", min), ("_max", max))
    return {f"{name}{end}": pick(counts[name]) for name in counts for end, pick in ends}


def _at_specificity(tested: pd.DataFrame, wanted: float) -> dict[str, float | str]:
    name = f"specificity-{wanted:.2f}"
    row = {"scope": POOLED, "operating_point": name}
    row |= {"threshold_min": math.nan, "threshold_max": math.nan}
    row |= _validation_counts([], chosen=False)
    limits, note = (math.nan, math.nan, math.nan), make_note("one_class")
    if tested["label"].nunique() == 2:
        found = sensitivity_at_specificity(tested, wanted, tested["group"].to_numpy())
        limits, note = (found.value, found.lower, found.upper), found.note
    row |= _with_limits("sensitivity", *limits)
    row |= _with_limits("specificity", wanted, math.nan, math.nan)
    row |= _with_limits("accuracy", math.nan, math.nan, math.nan)
    row |= {"images": len(tested), "groups": tested["group"].nunique()}
    return row | {"note": join_notes(make_note("threshold_of_the_test_images"), note)}


def _with_limits(name: str, value: float, lower: float, upper: float) -> dict[str, float]:
    return {name: value, f"{name}_lower": lower, f"{name}_upper": upper}
