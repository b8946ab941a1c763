"""The interval of every metric of one model, from stored predictions alone.

Two views are kept apart. ``pooled`` takes the test images of all folds as one set: what would
other images, of other leakage groups, give? ``folds`` takes the values of the folds: what would
another training give? Every metric has several methods, of which one is ``recommended``: the one
that keeps its level in ``tests/benchmarks/test_statistics_simulation.py``, also with few groups.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from blastfold.core.fold_table import ratio_of_test_to_train
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import FOLDS, METRICS, POOLED, PROPORTIONS
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import read_test_predictions
from blastfold.core.seeds import generator
from blastfold.evaluation.metrics import measured_metrics
from blastfold.statistics.class_grouped import group_classes
from blastfold.statistics.grouped import (
    GroupedPredictions,
    bootstrap_weights,
    group_predictions,
    repeat_count,
)
from blastfold.statistics.intervals import RESAMPLES, Interval, confidence_limits, interval
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.pairing import pair_groups

Paths = Iterable[str | os.PathLike]

LEVEL = 0.95
"""Confidence level of every interval; 1 - level is the error rate of a family of tests."""

BY_GROUP = "jackknife-t"
CROSSED = "crossed-t"
"""The jackknife over groups for networks that learnt from each other's test groups."""

BY_IMAGE = "image-jackknife-t"
"""The same method with every image as a group of its own, where the groups show no spread."""

INTERVAL_COLUMNS = (
    *("view", "metric", "method", "value", "lower", "upper"),
    *("level", "images", "groups", "recommended", "note"),
)


def estimate_intervals(
    predictions: Paths,
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    seed: int,
    names: Sequence[str],
    output: str | os.PathLike,
) -> None:
    """Write the intervals of one model under one protocol.

    Args:
        predictions: Predictions of all folds.
        groups: ``groups.tsv`` of the data set.
        folds: Fold table of the protocol.
        seed: The experiment's seed.
        names: Names of the data set, the protocol and the model; they name the random stream.
        output: Table to write, see :func:`interval_table`.

    Raises:
        InputError: A file lacks a column, or an image a leakage group.
    """
    tested = read_test_predictions(list(predictions))
    random_generator = generator(seed, "estimate_intervals", *names)
    table = interval_table(
        tested, read_groups(groups), ratio_of_test_to_train(folds), random_generator
    )
    write_noted(note_unknown(table, [groups], tested["image_id"]), output)


def interval_table(
    tested: pd.DataFrame,
    groups: pd.Series,
    ratio: float,
    random_generator: np.random.Generator,
) -> pd.DataFrame:
    """Return every metric with every interval that fits it.

    Pooled images: the jackknife over leakage groups with a t quantile (where there are several
    folds, also with the share of the overlap), percentile and BCa bootstrap of groups, Wilson's
    interval for proportions, DeLong's for the AUC with and without groups. Folds, where there are
    several: the corrected resampled t interval.

    Args:
        tested: Test predictions: image_id, fold, label, probability; of more than two classes also
            class_label and the probability of each, for the metrics over all classes.
        groups: Leakage group by image_id.
        ratio: Test images per training image of a fold.
        random_generator: For the bootstrap.

    Returns:
        Columns :data:`INTERVAL_COLUMNS`; metrics are fractions. One row of each view and metric
        is ``recommended``: that over groups; Wilson's interval for proportions of images
        without any group in common; what takes images as independent, with a note, where fewer
        than two groups contribute.
    """
    group = pair_groups(tested, groups)
    grouped = group_predictions(tested, group)
    weights = bootstrap_weights(grouped.groups, RESAMPLES, random_generator)
    repeats = repeat_count(tested)
    images = round(len(tested) / repeats)
    quoted = CROSSED if tested["fold"].nunique() > 1 else BY_GROUP
    rows = []
    for metric in measured_metrics(tested):
        if metric not in METRICS and isinstance(grouped, GroupedPredictions):
            grouped = group_classes(tested, group)
        value = float(metric_values(metric, grouped.totals()))
        reason = undefined_reason(metric, grouped.totals())
        size = (LEVEL, images, grouped.groups)
        found = {}
        for method in dict.fromkeys([quoted, *_interval_methods(metric, repeats)]):
            limits = np.nan, np.nan, reason
            if not reason:
                limits = confidence_limits(metric, grouped, method, LEVEL, weights)
            lower, upper, note = limits
            found[method] = Interval(metric, value, lower, upper, method, *size, note)
        found[quoted] = _warned(found, quoted)
        recommended = _recommended_interval(metric, found, quoted, tested)
        rows += [_interval_row(POOLED, one, recommended) for one in found.values()]
        if tested["fold"].nunique() > 1:
            by_fold = interval(metric, tested, group, "corrected-t", test_to_train=ratio)
            rows.append(_interval_row(FOLDS, by_fold, by_fold.method))
    return pd.DataFrame(rows)[list(INTERVAL_COLUMNS)]


def quoted_method(tested: pd.DataFrame, groups: Sequence) -> str:
    """Return the method of the interval to quote of a proportion or AUC of pooled images.

    One metric of one model then has one interval, in the results as at an operating point.

    Args:
        tested: Test predictions: fold.
        groups: The group of every row.
    """
    several = tested["fold"].nunique() > 1 and len(set(groups)) < len(tested)
    return CROSSED if several else "auto"


def _interval_methods(metric: str, repeats: int) -> list[str]:
    methods = [BY_GROUP, "bootstrap-percentile", "bootstrap-bca"]
    if repeats > 1:
        # The others count images, each of which has one prediction per repeat.
        return methods
    if metric in PROPORTIONS:
        methods.append("wilson")
    if metric == "auc":
        methods += ["delong", "clustered-delong"]
    return methods


def _warned(found: dict[str, Interval], quoted: str) -> Interval:
    """Return the interval over groups, with a note where independent images give a wider one."""
    by_group, independent = found[quoted], found.get("wilson") or found.get("delong")
    if independent is None or by_group.groups == by_group.images:
        return by_group
    if not by_group.upper - by_group.lower < independent.upper - independent.lower:
        return by_group
    return Interval(
        **{**vars(by_group), "note": join_notes(make_note("too_narrow"), by_group.note)}
    )


def _recommended_interval(
    metric: str, found: dict[str, Interval], quoted: str, tested: pd.DataFrame
) -> str:
    """Name the interval to quote; adds one that takes images as independent where it must."""
    by_group = found[quoted]
    independent = by_group.groups == by_group.images
    if "wilson" in found and independent:
        return "wilson"
    if independent or np.isnan(by_group.value) or not np.isnan(by_group.lower):
        return quoted
    chosen = interval(metric, tested, None, "auto")
    name = BY_IMAGE if chosen.method == BY_GROUP else chosen.method
    note = join_notes(make_note("images_instead_of_groups"), chosen.note)
    found[name] = Interval(**{**vars(chosen), "method": name, "note": note})
    return name


def _interval_row(view: str, found: Interval, recommended: str) -> dict:
    return {"view": view, **vars(found), "recommended": found.method == recommended}
