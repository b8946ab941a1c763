"""Tests of every pair of models of one protocol, from stored predictions alone.

Views and methods are those of :mod:`blastfold.evaluation.intervals`.
"""

import itertools
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.fold_table import ratio_of_test_to_train
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import (
    FOLDS,
    METRICS,
    POOLED,
    PRIMARY_METRIC,
    PRIMARY_METRICS,
    PROCEDURE,
)
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import primary_of, read_test_predictions
from blastfold.core.seeds import generator
from blastfold.evaluation.intervals import BY_GROUP, BY_IMAGE, LEVEL, Paths
from blastfold.evaluation.verdicts import compare_trained, describe_only, repeats_of
from blastfold.statistics import comparison
from blastfold.statistics.grouped import repeat_count
from blastfold.statistics.mcnemar import PairedAccuracy, paired_accuracy
from blastfold.statistics.outcomes import add_outcomes
from blastfold.statistics.pairing import pair_predictions

logger = logging.getLogger(__name__)

EFFECTS = (
    *("only_first", "only_second", "risk_difference"),
    *("odds_ratio", "odds_ratio_lower", "odds_ratio_upper", "cohens_g"),
)
COMPARISON_COLUMNS = (
    *("first_model", "second_model", "view", "metric", "method", "first", "second"),
    *("difference", "lower", "upper", "p_value", "adjusted_p_value", "minimum_detectable"),
    *("images", "groups", "repeats", "family", *EFFECTS, "recommended", "outcome", "note"),
)


def compare_models(
    predictions: Paths,
    models: Sequence[str],
    groups: str | os.PathLike,
    folds: str | os.PathLike,
    seed: int,
    names: Sequence[str],
    output: str | os.PathLike,
    *,
    primary: str | None = PRIMARY_METRIC,
    family: int | None = None,
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
        primary: The primary metric; None for that of the number of classes.
        family: See :func:`comparison_table`.

    Raises:
        InputError: The models were not tested on the same images, a file lacks a column, or an
            image a leakage group.
    """
    files = zip(models, predictions, strict=True)
    tested = {model: read_test_predictions([path]) for model, path in files}

    def stream(first: str, second: str) -> np.random.Generator:
        return generator(seed, "compare_models", *names, *sorted((first, second)))

    primary = primary_of(primary, next(iter(tested.values())))
    ratio = ratio_of_test_to_train(folds)
    table = comparison_table(tested, read_groups(groups), ratio, stream, primary, family)
    images = pd.concat([part["image_id"] for part in tested.values()])
    table = note_unknown(table, [groups], images)
    write_noted(table, output)
    for row in table[table["view"] == PROCEDURE].to_dict("records"):
        logger.info(
            "%s of %s minus that of %s: %+.4f (adjusted p = %.2g, %s)",
            *(primary, row["first_model"], row["second_model"], row["difference"]),
            *(row["adjusted_p_value"], row["outcome"]),
        )


def comparison_table(
    tested: Mapping[str, pd.DataFrame],
    groups: pd.Series,
    ratio: float,
    stream: Callable[[str, str], np.random.Generator],
    primary: str = PRIMARY_METRIC,
    family: int | None = None,
) -> pd.DataFrame:
    """Compare every pair of models in every metric by every test that fits it.

    The verdict is the row of the view ``procedure`` and of the primary metric. All others are
    descriptive: they are about the trained networks.

    Args:
        tested: Model -> test predictions (image_id, fold, label, probability).
        groups: Leakage group by image_id.
        ratio: Test images per training image of a fold.
        stream: Random generator of a pair of models, by their names, for the bootstrap. A pair
            with a generator of its own keeps its limits when a model is added.
        primary: The primary metric, the only one that is tested.
        family: Number of comparisons that the experiment declares; that of these pairs when None.

    Returns:
        Columns :data:`COMPARISON_COLUMNS`, no rows for a single model; differences are first
        minus second, as fractions. ``adjusted_p_value`` is that of a verdict, see
        :mod:`blastfold.evaluation.verdicts`. ``only_first`` and ``only_second`` are the images
        that one model alone gets right; they and the effect sizes are of the pair, whatever the
        row's metric.
    """
    if len(tested) < 2:
        return pd.DataFrame(columns=list(COMPARISON_COLUMNS))

    def compare(metrics: Sequence[str], method: str, by: pd.Series | None = groups, **options):
        table = comparison.compare_pairs(tested, by, metrics, method=method, **options)
        return table.assign(view=POOLED, recommended=False)

    by_group = compare(METRICS, BY_GROUP).assign(recommended=True)
    tables = [by_group]
    if unmeasured := _metrics_without_spread(by_group):
        by_group["recommended"] = ~by_group["metric"].isin(unmeasured)
        by_image = compare(unmeasured, BY_GROUP, None).assign(method=BY_IMAGE, recommended=True)
        by_image["note"] = [
            join_notes(make_note("images_instead_of_groups"), note) for note in by_image["note"]
        ]
        tables.append(by_image)
    tables.append(compare(METRICS, "bootstrap", stream=stream))
    several = any(repeat_count(table) > 1 for table in tested.values())
    if not several:
        tables += [compare(["accuracy"], "mcnemar"), _clustered_mcnemar(tables[0], tested, groups)]
        tables += [compare(["auc"], method) for method in ("delong", "clustered-delong")]
    if all(table["fold"].nunique() > 1 for table in tested.values()):
        by_fold = compare(METRICS, "corrected-t", test_to_train=ratio)
        tables.append(by_fold.assign(view=FOLDS, recommended=True))
    family = family or math.comb(len(tested), 2)
    described = describe_only(
        pd.concat(tables, ignore_index=True), repeats_of(list(tested.values())), family
    )
    # The verdict is quoted in place of the description.
    described["recommended"] &= described["metric"] != primary
    judged = _verdicts(tested, groups, primary, family, ratio)
    table = pd.concat([described, judged], ignore_index=True).merge(
        _effect_sizes(tested, groups), on=["first_model", "second_model"]
    )
    if several:
        # They count images, each of which has one prediction per repeat.
        table[list(EFFECTS)] = np.nan
    equal = table["cohens_g"].isna()
    table.loc[equal, "note"] = [
        join_notes(note, make_note("no_odds_ratio")) for note in table.loc[equal, "note"]
    ]
    order = table["metric"].map(PRIMARY_METRICS.index)
    return table.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)[
        list(COMPARISON_COLUMNS)
    ]


def _verdicts(
    tested: Mapping[str, pd.DataFrame], groups: pd.Series, primary: str, family: int, ratio: float
) -> pd.DataFrame:
    """Return the verdict on every pair of models."""
    rows = []
    for first, second in itertools.combinations(tested, 2):
        row = compare_trained(primary, tested[first], tested[second], groups, family, ratio)
        images = tested[first]["image_id"].nunique()
        rows.append({"first_model": first, "second_model": second, "images": images, **row})
    return pd.DataFrame(rows)


def _metrics_without_spread(table: pd.DataFrame) -> list[str]:
    """List the metrics with a difference, but no spread over groups in any pair of models."""
    measured = table["p_value"].notna() | table["difference"].isna()
    return [metric for metric, pairs in measured.groupby(table["metric"]) if not pairs.any()]


def _clustered_mcnemar(
    template: pd.DataFrame, tested: Mapping[str, pd.DataFrame], groups: pd.Series
) -> pd.DataFrame:
    """Return Obuchowski's test for the accuracy of every pair."""
    table = template[template["metric"] == "accuracy"].copy()
    found = [paired for _, paired in _pairs(tested, groups)]
    table["method"], table["recommended"] = "clustered-mcnemar", False
    table["p_value"] = [paired.clustered_p_value for paired in found]
    table[["lower", "upper", "minimum_detectable"]] = np.nan
    undefined = table["p_value"].isna()
    table["note"] = make_note("test_without_interval")
    table.loc[undefined, "note"] = make_note("test_needs_two_groups")
    return add_outcomes(table, ["metric"], LEVEL)


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
