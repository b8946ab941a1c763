"""Tables of calibration of one model: errors with intervals, bins and risk-coverage curves."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from blastfold.core.names import AFTER, BEFORE, POOLED, STATES
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import class_pair
from blastfold.core.seeds import generator
from blastfold.evaluation.metrics import scopes
from blastfold.evaluation.validation_fits import Fitted, notes_by_fold
from blastfold.statistics.calibration import (
    brier_score,
    expected_calibration_error,
    number_of_bins,
    reliability_bins,
)
from blastfold.statistics.calibration_intervals import (
    Limits,
    brier_interval,
    calibrated_reference,
    calibration_error_interval,
    grouped_bins,
)
from blastfold.statistics.operating import risk_coverage

STRATEGIES = ("width", "mass")

ENDINGS = dict(zip(STATES, ("", "_after", "_platt"), strict=True))
"""What the columns of each state end in."""

ERROR = "calibration_error_width"
"""The calibration error that has an interval and a reference value: bins of equal width."""

States = Mapping[str, pd.DataFrame]


def calibration_table(
    states: States, fitted: Fitted, seed: int, run: Sequence[str]
) -> pd.DataFrame:
    """Measure calibration in every state of the probabilities, by fold and pooled.

    Args:
        states: Test predictions by state: fold, label, probability, group.
        fitted: What was fitted on the validation parts.
        seed: The experiment's seed.
        run: Names of data set, protocol and model, for the random draws.

    Returns:
        scope, images, groups, bins (:func:`blastfold.statistics.calibration.number_of_bins`),
        validation_images, temperature, platt_slope, platt_intercept, then
        calibration_error_width, calibration_error_mass (bins of equal width and of equally many
        images), brier and risk_coverage_area, each again with ``_after`` (temperature) and
        ``_platt``. The first and brier have ``_lower`` and ``_upper`` of the pooled images.
        calibration_error_width_expected and _percentile: what perfect calibration would show.
    """
    rows = []
    for scope, images in scopes(states[BEFORE]):
        parts = {fold: fitted[fold] for fold in images["fold"].unique()}
        single = next(iter(parts.values())) if len(parts) == 1 else None
        row = {"scope": scope, "images": len(images), "groups": images["group"].nunique()}
        row["bins"] = number_of_bins(images)
        row["validation_images"] = sum(part.images for part in parts.values())
        row["temperature"] = single.temperature.value if single else math.nan
        row["platt_slope"] = single.platt.slope if single else math.nan
        row["platt_intercept"] = single.platt.intercept if single else math.nan
        fits = {
            fold: join_notes(part.temperature.note, part.platt.note) for fold, part in parts.items()
        }
        several = make_note("temperature_per_fold") if len(parts) > 1 else ""
        measured, note = _measured(states, images.index, scope == POOLED, seed, run)
        rows.append(row | measured | {"note": join_notes(several, notes_by_fold(fits), note)})
    return pd.DataFrame(rows)


def reliability_table(states: States) -> pd.DataFrame:
    """Bin the probabilities in every state, by fold and pooled.

    Returns:
        scope, state (before, after, platt), strategy (width, mass), the columns of
        :func:`blastfold.statistics.calibration.reliability_bins` with its interval over groups
        (:func:`blastfold.statistics.calibration_intervals.grouped_bins`), groups, note and
        positive_class (name).
    """
    tables = []
    for state, predictions in states.items():
        for scope, images in scopes(predictions):
            for strategy in STRATEGIES:
                bins = reliability_bins(images, strategy=strategy)
                limits = grouped_bins(images, images["group"].to_numpy(), strategy=strategy)
                bins = bins.drop(columns=["lower", "upper"]).join(limits)
                named = {"scope": scope, "state": state, "strategy": strategy}
                tables.append(pd.DataFrame(named, index=bins.index).join(bins))
    table = pd.concat(tables, ignore_index=True)
    return table.assign(positive_class=class_pair(states[BEFORE])[1])


def risk_coverage_table(states: States) -> pd.DataFrame:
    """Compute the risk-coverage curves at the threshold 0.5, by fold and pooled.

    A temperature changes no order within a fold, so that only the pooled curve can change.

    Returns:
        scope, state (before, after; after for the pooled curve alone), coverage, risk, images.
    """
    curves = [(scope, BEFORE, images) for scope, images in scopes(states[BEFORE])]
    curves.append((POOLED, AFTER, states[AFTER]))
    tables = []
    for scope, state, images in curves:
        curve = risk_coverage(images)[0]
        tables.append(pd.DataFrame({"scope": scope, "state": state}, index=curve.index).join(curve))
    return pd.concat(tables, ignore_index=True)


def _measured(
    states: States, rows: pd.Index, pooled: bool, seed: int, run: Sequence[str]
) -> tuple[dict[str, float], str]:
    """Return the measures of one scope in every state, and what is special about them."""
    row, notes = {}, []
    for state, predictions in states.items():
        images, ending = predictions.loc[rows], ENDINGS[state]
        nothing = Limits(math.nan, math.nan, make_note("limits_of_pooled_images_only"))
        error, brier = nothing, nothing
        if pooled:
            group = images["group"].to_numpy()
            # The same draws in every state: a state without a fit has the limits of the first.
            random_generator = generator(seed, "calibration_error", *run)
            error = calibration_error_interval(images, group, random_generator)
            brier = brier_interval(images, group)
        row |= _with_limits(f"{ERROR}{ending}", expected_calibration_error(images), error)
        if state == BEFORE:
            row |= _reference(images, pooled, seed, run)
        by_mass = expected_calibration_error(images, strategy="mass")
        row[f"calibration_error_mass{ending}"] = by_mass
        row |= _with_limits(f"brier{ending}", brier_score(images), brier)
        row[f"risk_coverage_area{ending}"] = risk_coverage(images)[1]
        notes += [error.note, brier.note]
    return row, join_notes(*notes)


def _reference(
    images: pd.DataFrame, pooled: bool, seed: int, run: Sequence[str]
) -> dict[str, float]:
    expected = percentile = math.nan
    if pooled:
        random_generator = generator(seed, "calibrated_reference", *run)
        expected, percentile = calibrated_reference(images, random_generator)
    return {f"{ERROR}_expected": expected, f"{ERROR}_percentile": percentile}


def _with_limits(name: str, value: float, limits: Limits) -> dict[str, float]:
    return {name: value, f"{name}_lower": limits.lower, f"{name}_upper": limits.upper}
