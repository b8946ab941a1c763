"""Intervals of every metric and tests of every pair of models, from stored predictions alone.

Two views are kept apart. ``pooled`` takes the test images of all folds as one set and asks what
other images, of other leakage groups, would give; ``folds`` takes the folds' values and asks what
a model trained anew would give. Every metric has several methods, of which one is marked
``recommended``: the one that ``tests/benchmarks/test_statistics_simulation.py`` found to keep its
level, also with few groups.
"""

import itertools
import logging
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.core.noted_tables import require_notes
from blastfold.core.seeds import generator
from blastfold.evaluation.metrics import read_test_predictions
from blastfold.statistics import comparison
from blastfold.statistics.grouped import bootstrap_weights, group_predictions
from blastfold.statistics.intervals import RESAMPLES, Interval, confidence_limits, interval
from blastfold.statistics.jackknife import TOO_NARROW
from blastfold.statistics.mcnemar import PairedAccuracy, paired_accuracy
from blastfold.statistics.metrics import METRICS, PROPORTIONS, metric_values, undefined_reason
from blastfold.statistics.notes import join_notes
from blastfold.statistics.pairing import pair_groups, pair_predictions

logger = logging.getLogger(__name__)

Paths = Iterable[str | os.PathLike]

LEVEL = 0.95
"""Confidence level of every interval; 1 - level is the error rate of a family of tests."""

POOLED, FOLDS = "pooled", "folds"
"""The views: all test images as one set, and the values of the folds."""

BY_GROUP = "jackknife-t"
BY_IMAGE = "image-jackknife-t"
"""The same method with every image as a group of its own, where the groups tell no spread."""

FALLBACK = (
    "fewer than two leakage groups contribute, so that they tell no spread: images taken as "
    "independent, which is too sure of itself where images of one group are alike"
)

INTERVAL_COLUMNS = (
    *("view", "metric", "method", "value", "lower", "upper"),
    *("level", "images", "groups", "recommended", "note"),
)
EFFECTS = (
    *("only_first", "only_second", "risk_difference"),
    *("odds_ratio", "odds_ratio_lower", "odds_ratio_upper", "cohens_g"),
)
COMPARISON_COLUMNS = (
    *("first_model", "second_model", "view", "metric", "method", "first", "second"),
    *("difference", "lower", "upper", "p_value", "adjusted_p_value", "minimum_detectable"),
    *("images", "groups", *EFFECTS, "recommended", "outcome", "note"),
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
    write_noted(table, output)


def interval_table(
    tested: pd.DataFrame,
    groups: pd.Series,
    ratio: float,
    random_generator: np.random.Generator,
) -> pd.DataFrame:
    """Return every metric with every interval that fits it.

    Pooled images: the jackknife over leakage groups with a t quantile, percentile and BCa
    bootstrap of groups, Wilson's interval for proportions, DeLong's for the AUC with and without
    groups. Folds, where there are several: the corrected resampled t interval.

    Args:
        tested: Test predictions: image_id, fold, label, probability.
        groups: Leakage group by image_id.
        ratio: Test images per training image of a fold.
        random_generator: For the bootstrap.

    Returns:
        Columns :data:`INTERVAL_COLUMNS`; metrics are fractions. One row of each view and metric
        is ``recommended``: the jackknife over groups; Wilson's interval for proportions of images
        without any group in common; what takes images as independent, with a note, where fewer
        than two groups contribute.
    """
    group = pair_groups(tested, groups)
    grouped = group_predictions(tested, group)
    weights = bootstrap_weights(grouped.groups, RESAMPLES, random_generator)
    rows = []
    for metric in METRICS:
        value = float(metric_values(metric, grouped.totals()))
        reason = undefined_reason(metric, grouped.totals())
        size = (LEVEL, len(tested), grouped.groups)
        found = {}
        for method in _interval_methods(metric):
            limits = np.nan, np.nan, reason
            if not reason:
                limits = confidence_limits(metric, grouped, method, LEVEL, weights)
            lower, upper, note = limits
            found[method] = Interval(metric, value, lower, upper, method, *size, note)
        found[BY_GROUP] = _warned(found)
        recommended = _recommended_interval(metric, found, tested)
        rows += [_interval_row(POOLED, one, recommended) for one in found.values()]
        if tested["fold"].nunique() > 1:
            by_fold = interval(metric, tested, group, "corrected-t", test_to_train=ratio)
            rows.append(_interval_row(FOLDS, by_fold, by_fold.method))
    return pd.DataFrame(rows)[list(INTERVAL_COLUMNS)]


def _interval_methods(metric: str) -> list[str]:
    methods = [BY_GROUP, "bootstrap-percentile", "bootstrap-bca"]
    if metric in PROPORTIONS:
        methods.append("wilson")
    if metric == "auc":
        methods += ["delong", "clustered-delong"]
    return methods


def _warned(found: dict[str, Interval]) -> Interval:
    """Return the interval over groups, with a note where independent images give a wider one."""
    by_group, independent = found[BY_GROUP], found.get("wilson") or found.get("delong")
    if independent is None or by_group.groups == by_group.images:
        return by_group
    if not by_group.upper - by_group.lower < independent.upper - independent.lower:
        return by_group
    return Interval(**{**vars(by_group), "note": join_notes(TOO_NARROW, by_group.note)})


def _recommended_interval(metric: str, found: dict[str, Interval], tested: pd.DataFrame) -> str:
    """Name the interval to quote; adds one that takes images as independent where it must."""
    by_group = found[BY_GROUP]
    independent = by_group.groups == by_group.images
    if independent and metric in PROPORTIONS:
        return "wilson"
    if independent or np.isnan(by_group.value) or not np.isnan(by_group.lower):
        return BY_GROUP
    chosen = interval(metric, tested, None, "auto")
    name = BY_IMAGE if chosen.method == BY_GROUP else chosen.method
    note = join_notes(FALLBACK, chosen.note)
    found[name] = Interval(**{**vars(chosen), "method": name, "note": note})
    return name


def _interval_row(view: str, found: Interval, recommended: str) -> dict:
    return {"view": view, **vars(found), "recommended": found.method == recommended}


def compare_models(
    predictions: Paths,
    models: Sequence[str],
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    seed: int,
    names: Sequence[str],
    output: str | os.PathLike,
) -> None:
    """Write the comparison of every pair of models of one protocol.

    Args:
        predictions: Predictions of all folds of each model, one file per model.
        models: Names of the models, in the same order.
        groups: ``groups.tsv`` of the data set.
        folds: Fold table of the protocol.
        seed: The experiment's seed.
        names: Names of the data set and the protocol; they name the random stream.
        output: Table to write, see :func:`comparison_table`.

    Raises:
        InputError: The models were not tested on the same images, a file lacks a column, or an
            image a leakage group.
    """
    files = zip(models, predictions, strict=True)
    tested = {model: read_test_predictions([path]) for model, path in files}
    random_generator = generator(seed, "compare_models", *names)
    table = comparison_table(
        tested, read_groups(groups), ratio_of_test_to_train(folds), random_generator
    )
    write_noted(table, output)
    quoted = table[table["recommended"] & (table["view"] == POOLED)]
    for row in quoted[quoted["metric"] == "accuracy"].to_dict("records"):
        logger.info("%s, %s: %s", row["first_model"], row["second_model"], row["outcome"])


def comparison_table(
    tested: Mapping[str, pd.DataFrame],
    groups: pd.Series,
    ratio: float,
    random_generator: np.random.Generator,
) -> pd.DataFrame:
    """Compare every pair of models in every metric by every test that fits it.

    Args:
        tested: Model -> test predictions (image_id, fold, label, probability).
        groups: Leakage group by image_id.
        ratio: Test images per training image of a fold.
        random_generator: For the bootstrap.

    Returns:
        Columns :data:`COMPARISON_COLUMNS`, no rows for a single model; differences are first
        minus second, as fractions. ``adjusted_p_value`` is Holm's over the pairs of one metric
        and method. ``only_first`` and ``only_second`` are the images that one model alone gets
        right; they and the effect sizes are of the pair, whatever the row's metric.
    """
    if len(tested) < 2:
        return pd.DataFrame(columns=list(COMPARISON_COLUMNS))

    def compare(metrics: Sequence[str], method: str, by: pd.Series | None = groups, **options):
        table = comparison.compare_models(tested, by, metrics, method=method, **options)
        return table.assign(view=POOLED, recommended=False)

    by_group = compare(METRICS, BY_GROUP).assign(recommended=True)
    tables = [by_group]
    if untold := _untold(by_group):
        by_group["recommended"] = ~by_group["metric"].isin(untold)
        by_image = compare(untold, BY_GROUP, None).assign(method=BY_IMAGE, recommended=True)
        by_image["note"] = [join_notes(FALLBACK, note) for note in by_image["note"]]
        tables.append(by_image)
    tables.append(compare(METRICS, "bootstrap", random_generator=random_generator))
    tables += [compare(["accuracy"], "mcnemar"), _clustered_mcnemar(tables[0], tested, groups)]
    tables += [compare(["auc"], method) for method in ("delong", "clustered-delong")]
    if all(table["fold"].nunique() > 1 for table in tested.values()):
        by_fold = compare(METRICS, "corrected-t", test_to_train=ratio)
        tables.append(by_fold.assign(view=FOLDS, recommended=True))
    table = pd.concat(tables, ignore_index=True).merge(
        _effect_sizes(tested, groups), on=["first_model", "second_model"]
    )
    alike = table["cohens_g"].isna()
    table.loc[alike, "note"] = [
        join_notes(note, "no odds ratio and no Cohen's g: the models are right on the same images")
        for note in table.loc[alike, "note"]
    ]
    order = table["metric"].map(METRICS.index)
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)[
        list(COMPARISON_COLUMNS)
    ]


def _untold(table: pd.DataFrame) -> list[str]:
    """List the metrics whose differences are defined but whose spread no pair's groups tell."""
    told = table["p_value"].notna() | table["difference"].isna()
    return [metric for metric, pairs in told.groupby(table["metric"]) if not pairs.any()]


def _clustered_mcnemar(
    template: pd.DataFrame, tested: Mapping[str, pd.DataFrame], groups: pd.Series
) -> pd.DataFrame:
    """Return Obuchowski's test for the accuracy of every pair."""
    table = template[template["metric"] == "accuracy"].copy()
    found = [paired for _, paired in _pairs(tested, groups)]
    table["method"], table["recommended"] = "clustered-mcnemar", False
    table["p_value"] = [paired.clustered_p_value for paired in found]
    table["adjusted_p_value"] = comparison.holm(table["p_value"].to_numpy())
    table[["lower", "upper", "minimum_detectable"]] = np.nan
    one_group = "the test needs at least two groups"
    table["note"] = [
        one_group if np.isnan(paired.clustered_p_value) else "a test without an interval"
        for paired in found
    ]
    rows = table.to_dict("records")
    table["outcome"] = [comparison.outcome(row, 1 - LEVEL) for row in rows]
    return table


def _effect_sizes(tested: Mapping[str, pd.DataFrame], groups: pd.Series) -> pd.DataFrame:
    rows = [
        {"first_model": first, "second_model": second, **vars(paired)}
        for (first, second), paired in _pairs(tested, groups)
    ]
    return pd.DataFrame(rows)[["first_model", "second_model", *EFFECTS]]


def _pairs(
    tested: Mapping[str, pd.DataFrame], groups: pd.Series
) -> list[tuple[tuple[str, str], PairedAccuracy]]:
    pairs = []
    for names in itertools.combinations(tested, 2):
        paired = pair_predictions(tested[names[0]], tested[names[1]], names)
        pair = comparison.model_pair(paired, groups)
        right = [model.predicted == (model.label == 1) for model in pair.models]
        pairs.append((names, paired_accuracy(*right, pair.group, LEVEL)))
    return pairs


def read_groups(path: str | os.PathLike) -> pd.Series:
    """Read the leakage group of every image, by image_id.

    Raises:
        InputError: A column is missing.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if missing := sorted({"image_id", "group"} - set(table.columns)):
        raise InputError(f"{path}: the columns {missing} are missing, expected image_id and group")
    return table.set_index("image_id")["group"]


def ratio_of_test_to_train(path: str | os.PathLike) -> float:
    """Return the test images per training image of a protocol's folds, all taken together.

    Raises:
        InputError: A column is missing, or there is no test or no training image.
    """
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if "role" not in table:
        raise InputError(f"{path}: the column 'role' is missing, got {list(table.columns)}")
    counts = table["role"].value_counts()
    if not {"train", "test"} <= set(counts.index):
        raise InputError(
            f"{path}: column role must hold train and test, got {sorted(counts.index)}"
        )
    return float(counts["test"] / counts["train"])


def write_noted(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table in which no value is missing without a note.

    Raises:
        BlastfoldError: Names the first column and row with a missing value and no note.
    """
    require_notes(table)
    with written_whole(path) as partial:
        table.to_csv(partial, sep="\t", index=False)
