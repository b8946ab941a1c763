"""Confidence intervals of the metrics, by one function for all methods.

Which method for what: Wilson and DeLong for images that are independent of each other; the
jackknife over groups where images share subjects, pictures or parents, which ``auto`` takes.
The simulation in ``tests/benchmarks/test_statistics_simulation.py`` measures why.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtrit

from blastfold.core.errors import InputError
from blastfold.core.names import PRIMARY_METRICS, PROPORTIONS, THRESHOLD, TOP_TWO
from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.class_grouped import GroupedClasses, condense_for
from blastfold.statistics.delong import estimate_areas
from blastfold.statistics.folds import corrected_resampled_t, fold_values
from blastfold.statistics.grouped import (
    GroupedPredictions,
    bootstrap_weights,
    repeat_count,
)
from blastfold.statistics.jackknife import (
    OVERLAP,
    bounded_interval,
    few_groups_note,
    metric_spread,
)
from blastfold.statistics.metrics import (
    metric_bounds,
    metric_values,
    proportion_counts,
    undefined_reason,
)
from blastfold.statistics.proportions import wilson_interval

RESAMPLES = 2000
"""Bootstrap resamples by default."""

Limits = tuple[float, float, str]


@dataclass(frozen=True)
class Interval:
    """A metric with its confidence interval.

    Attributes:
        metric: A name of ``metrics.METRICS``.
        value: The metric of all images; NaN where undefined (``note`` gives the reason).
        lower: Lower end; NaN where undefined.
        upper: Upper end; NaN where undefined.
        method: The method used (never ``auto``).
        level: Confidence level.
        images: Number of images; of several repeats the mean number that a repeat tests.
        groups: Number of groups; the number of images where none are given.
        note: Warnings and reasons, separated by semicolons; empty otherwise.
    """

    metric: str
    value: float
    lower: float
    upper: float
    method: str
    level: float
    images: int
    groups: int
    note: str


def interval(
    metric: str,
    predictions: pd.DataFrame,
    groups: Sequence | None = None,
    method: str = "auto",
    *,
    threshold: float | np.ndarray = THRESHOLD,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    random_generator: np.random.Generator | None = None,
    test_to_train: float | None = None,
) -> Interval:
    """Compute a metric of pooled predictions with its confidence interval.

    Args:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        predictions: One row per image: ``label``, ``probability`` (``image_id``, ``fold``); for
            metrics over classes see :func:`blastfold.statistics.class_grouped.group_classes`.
        groups: The group of every row, for instance its subject; None when every image is
            independent of the others.
        method: One of :data:`METHODS` or ``auto``: without groups Wilson for proportions,
            otherwise ``jackknife-t``.
        threshold: Probabilities of at least this predict positive; one value or one per row.
        level: Confidence level.
        resamples: Number of bootstrap resamples.
        random_generator: Needed by the bootstrap methods.
        test_to_train: Test images per training image; needed by ``corrected-t``.

    Returns:
        The interval, with NaN and a note where it is undefined.

    Raises:
        InputError: For an unknown metric or method, one that does not fit the metric, or
            invalid predictions.
    """
    if metric not in PRIMARY_METRICS:
        raise InputError(f"metric: got '{metric}', expected one of {', '.join(PRIMARY_METRICS)}")
    grouped = condense_for(metric, predictions, groups, threshold)
    if method == "auto":
        independent = grouped.groups == len(predictions)
        method = "wilson" if independent and metric in PROPORTIONS else "jackknife-t"
    totals = grouped.totals()
    value = float(metric_values(metric, totals))
    if np.isnan(value):
        limits = np.nan, np.nan, undefined_reason(metric, totals)
    elif method == "corrected-t":
        value, *limits = _corrected_t(metric, predictions, threshold, test_to_train, level)
    else:
        weights = None
        if method in _BOOTSTRAP_METHODS:
            if random_generator is None:
                raise InputError(f"method '{method}' needs a random generator")
            weights = bootstrap_weights(grouped.groups, resamples, random_generator)
        limits = confidence_limits(metric, grouped, method, level, weights)
    lower, upper, note = limits
    images = round(len(predictions) / repeat_count(predictions))
    return Interval(metric, value, lower, upper, method, level, images, grouped.groups, note)


def confidence_limits(
    metric: str,
    grouped: GroupedPredictions | GroupedClasses,
    method: str,
    level: float = 0.95,
    weights: np.ndarray | None = None,
) -> Limits:
    """Compute the limits of a defined metric from condensed predictions.

    Args:
        metric: A name of ``metrics.METRICS``.
        grouped: From ``grouped.group_predictions``, or ``class_grouped.group_classes`` for metrics
            over all classes; may serve many metrics and methods.
        method: One of :data:`METHODS` but ``corrected-t``.
        level: Confidence level.
        weights: From ``grouped.bootstrap_weights``, for the bootstrap methods.

    Returns:
        Lower end, upper end and note.

    Raises:
        InputError: For an unknown method, or one that does not fit the metric.
    """
    if method in _BOOTSTRAP_METHODS:
        return _BOOTSTRAP_METHODS[method](metric, grouped, level, weights)
    if method in _GROUP_METHODS:
        return _GROUP_METHODS[method](metric, grouped, level)
    raise InputError(f"method: got '{method}', expected one of {', '.join(METHODS)}")


def _wilson(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    if metric not in (*PROPORTIONS, TOP_TWO):
        raise InputError(f"method 'wilson' is for {', '.join(PROPORTIONS)}, got '{metric}'")
    hits, trials = proportion_counts(metric, grouped.totals())
    lower, upper = wilson_interval(hits, trials, level)
    note = _independence_note(grouped)
    return float(lower), float(upper), note


def _delong(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    lower, upper, note = _area_limits(metric, grouped, level, None)
    return lower, upper, join_notes(note, _independence_note(grouped))


def _clustered_delong(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    lower, upper, note = _area_limits(metric, grouped, level, grouped.group)
    effective = metric_spread(metric, grouped).effective_groups
    return lower, upper, join_notes(note, few_groups_note(effective))


def _area_limits(
    metric: str, grouped: GroupedPredictions, level: float, group: np.ndarray | None
) -> Limits:
    if metric != "auc":
        raise InputError(f"DeLong's methods are for 'auc', got '{metric}'")
    estimates = estimate_areas(grouped.label, grouped.probability, group)
    area, variance = estimates.areas[0], estimates.covariance[0, 0]
    reach = ndtri((1 + level) / 2) * np.sqrt(max(variance, 0.0))
    if np.isnan(variance):
        return np.nan, np.nan, estimates.note
    note = make_note("no_width") if reach == 0 else ""
    return float(max(area - reach, 0)), float(min(area + reach, 1)), note


def _jackknife_t(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    value = float(metric_values(metric, grouped.totals()))
    measured = metric_spread(metric, grouped)
    lower, upper, note = bounded_interval(metric, value, measured, level)
    return lower, upper, join_notes(note, few_groups_note(measured.effective_groups))


def _crossed_t(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    """Return the limits of cross-validated networks: the jackknife with the overlap's share."""
    value = float(metric_values(metric, grouped.totals()))
    measured = metric_spread(metric, grouped)
    wider = replace(measured, standard_error=measured.standard_error * (1 + OVERLAP) ** 0.5)
    lower, upper, note = bounded_interval(metric, value, wider, level)
    return lower, upper, join_notes(note, few_groups_note(measured.effective_groups))


def _robust_t(metric: str, grouped: GroupedPredictions, level: float) -> Limits:
    value = float(metric_values(metric, grouped.totals()))
    measured = metric_spread(metric, grouped)
    reach = stdtrit(max(grouped.groups - 1, 1), (1 + level) / 2) * measured.standard_error
    low, high = metric_bounds(metric)
    lower, upper = np.clip((value - reach, value + reach), low, high)
    return float(lower), float(upper), few_groups_note(measured.effective_groups)


def _percentile(
    metric: str, grouped: GroupedPredictions, level: float, weights: np.ndarray
) -> Limits:
    values, note = _resampled(metric, grouped, weights)
    if len(values) == 0:
        return np.nan, np.nan, note
    lower, upper = np.quantile(values, ((1 - level) / 2, (1 + level) / 2))
    return float(lower), float(upper), note


def _bca(metric: str, grouped: GroupedPredictions, level: float, weights: np.ndarray) -> Limits:
    """Efron (1987), Better bootstrap confidence intervals, with the jackknife over groups."""
    values, note = _resampled(metric, grouped, weights)
    if len(values) == 0 or np.ptp(values) == 0:
        lower, upper, own = _percentile(metric, grouped, level, weights)
        return lower, upper, own
    value = float(metric_values(metric, grouped.totals()))
    deleted = metric_values(metric, grouped.totals_without_one())
    deleted = deleted[~np.isnan(deleted)]
    pulls = deleted.mean() - deleted
    size = np.sum(pulls**2) ** 1.5
    acceleration = np.sum(pulls**3) / (6 * size) if size > 0 else 0.0
    below = (np.mean(values < value) + np.mean(values <= value)) / 2
    bias = ndtri(np.clip(below, 0.5 / len(values), 1 - 0.5 / len(values)))
    shifted = bias + ndtri(((1 - level) / 2, (1 + level) / 2))
    chosen = ndtr(bias + shifted / (1 - acceleration * shifted))
    lower, upper = np.quantile(values, chosen)
    return float(lower), float(upper), note


def _bootstrap_t(
    metric: str, grouped: GroupedPredictions, level: float, weights: np.ndarray
) -> Limits:
    """Studentised by the jackknife within every resample (Efron and Tibshirani 1993, 12.5)."""
    values = metric_values(metric, grouped.totals(weights))
    changes = metric_values(metric, grouped.totals_without_one(weights)) - values[:, np.newaxis]
    spreads = np.sum(weights * np.nan_to_num(changes) ** 2, axis=1)
    errors = np.sqrt((grouped.groups - 1) / grouped.groups * spreads)
    usable = ~np.isnan(values) & (errors > 1e-12)
    measured = metric_spread(metric, grouped)
    note = join_notes(
        _left_out(np.count_nonzero(~usable), len(values)),
        few_groups_note(measured.effective_groups),
    )
    if not usable.any():
        return np.nan, np.nan, note
    value = float(metric_values(metric, grouped.totals()))
    ratios = (values[usable] - value) / errors[usable]
    upper_ratio, lower_ratio = np.quantile(ratios, ((1 - level) / 2, (1 + level) / 2))
    limits = value - np.array((lower_ratio, upper_ratio)) * measured.standard_error
    lower, upper = np.clip(limits, *metric_bounds(metric))
    return float(lower), float(upper), note


def _corrected_t(
    metric: str,
    predictions: pd.DataFrame,
    threshold: float | np.ndarray,
    test_to_train: float | None,
    level: float,
) -> tuple[float, float, float, str]:
    if test_to_train is None:
        raise InputError("method 'corrected-t' needs test_to_train, test images per training image")
    by_fold = fold_values(metric, predictions, threshold)
    result = corrected_resampled_t(by_fold["value"].to_numpy(), test_to_train, level)
    low, high = metric_bounds(metric)
    lower, upper = np.clip((result.lower, result.upper), low, high)
    note = join_notes(make_note("mean_of_folds", result.folds), result.note)
    return result.mean, float(lower), float(upper), note


def _resampled(
    metric: str, grouped: GroupedPredictions, weights: np.ndarray
) -> tuple[np.ndarray, str]:
    values = metric_values(metric, grouped.totals(weights))
    undefined = np.isnan(values)
    effective = metric_spread(metric, grouped).effective_groups
    note = join_notes(_left_out(undefined.sum(), len(values)), few_groups_note(effective))
    return values[~undefined], note


def _left_out(undefined: int, resamples: int) -> str:
    return make_note("undefined_resamples", undefined, resamples) if undefined else ""


def _independence_note(grouped: GroupedPredictions) -> str:
    clustered = grouped.groups < len(grouped.label)
    return make_note("images_taken_as_independent") if clustered else ""


_GROUP_METHODS: dict[str, Callable[..., Limits]] = {
    "wilson": _wilson,
    "delong": _delong,
    "clustered-delong": _clustered_delong,
    "jackknife-t": _jackknife_t,
    "crossed-t": _crossed_t,
    "robust-t": _robust_t,
}
_BOOTSTRAP_METHODS: dict[str, Callable[..., Limits]] = {
    "bootstrap-percentile": _percentile,
    "bootstrap-bca": _bca,
    "bootstrap-t": _bootstrap_t,
}
METHODS = (*_GROUP_METHODS, *_BOOTSTRAP_METHODS, "corrected-t")
"""The names of the interval methods."""
