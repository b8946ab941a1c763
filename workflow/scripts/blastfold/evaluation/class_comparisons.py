"""Pairs of models of one protocol over all classes: differences by group, and marginals.

All of it is descriptive. The verdict on two procedures is that of the primary metric
(:mod:`blastfold.evaluation.comparisons`).
"""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.class_tables import (
    CLASS_COMPARISON_COLUMNS,
    CLUSTERED_MCNEMAR,
    CLUSTERED_STUART_MAXWELL,
    MARGINALS,
    STUART_MAXWELL,
)
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import CLASS_METRIC_FACTS, QUADRATIC_KAPPA, TOP_TWO
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import read_test_predictions
from blastfold.evaluation.intervals import BY_GROUP, BY_IMAGE, LEVEL, Paths
from blastfold.statistics.class_formulas import FORMULAS
from blastfold.statistics.class_grouped import GroupedClasses, group_classes
from blastfold.statistics.grouped import repeat_count
from blastfold.statistics.jackknife import contributions, jackknife_test
from blastfold.statistics.marginals import MarginalTest, clustered_stuart_maxwell, stuart_maxwell
from blastfold.statistics.mcnemar import clustered_mcnemar
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.pairing import KEYS, pair_groups, pair_predictions

COMPARED = tuple(name for name in CLASS_METRIC_FACTS if name in FORMULAS and name != TOP_TWO)
"""Metrics over all classes in which models are compared; the quadratic kappa of grades alone."""


def compare_classes(
    predictions: Paths,
    models: Sequence[str],
    groups: str | os.PathLike,
    output: str | os.PathLike,
    *,
    ordered: bool = False,
) -> None:
    """Write the comparison of every pair of models over all classes.

    Args:
        predictions: Predictions of all folds of each model, one file per model.
        models: Names of the models, in the same order.
        groups: Leakage groups of the data set.
        output: Table to write, see :func:`class_comparison_table`.
        ordered: Whether the classes are grades.

    Raises:
        InputError: The models were not tested on the same images, a file lacks a column, or an
            image a leakage group.
    """
    files = zip(models, predictions, strict=True)
    tested = {model: read_test_predictions([path]) for model, path in files}
    table = class_comparison_table(tested, read_groups(groups), ordered=ordered)
    images = pd.concat([part["image_id"] for part in tested.values()])
    write_noted(note_unknown(table, [groups], images), output)


def class_comparison_table(
    tested: Mapping[str, pd.DataFrame], groups: pd.Series, *, ordered: bool = False
) -> pd.DataFrame:
    """Compare every pair of models over all classes.

    Args:
        tested: Model -> test predictions (image_id, repeat, fold, class_label and the probability
            of every class).
        groups: Leakage group by image_id.
        ordered: Whether the classes are grades.

    Returns:
        Columns :data:`CLASS_COMPARISON_COLUMNS`, no rows for a single model. Differences are first
        minus second, with the jackknife over leakage groups (over images, with a note, where groups
        show no spread). The accuracy also has Obuchowski's test, and ``marginals`` the test of
        Stuart and Maxwell, by group and for independent images; these have a statistic (F by group,
        else chi-square) and no limits.
    """
    rows = []
    for names in itertools.combinations(tested, 2):
        pair = paired_rows(tested[names[0]], tested[names[1]], names)
        named = dict(zip(("first_model", "second_model"), names, strict=True))
        rows += [named | row for row in _compared(pair, groups, ordered=ordered)]
    table = pd.DataFrame(rows, columns=list(CLASS_COMPARISON_COLUMNS))
    descriptive = make_note("descriptive")
    return table.assign(note=[join_notes(note, descriptive) for note in table["note"]])


def paired_rows(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both tables with the same images in the same rows."""
    # Refuses models that were tested on other images.
    pair_predictions(first, second, names)
    keys = list(KEYS)
    place = pd.MultiIndex.from_frame(second[keys]).get_indexer(
        pd.MultiIndex.from_frame(first[keys])
    )
    return first.reset_index(drop=True), second.iloc[place].reset_index(drop=True)


def _compared(
    pair: tuple[pd.DataFrame, pd.DataFrame], groups: pd.Series, *, ordered: bool
) -> Iterator[dict]:
    """Yield the rows of one pair."""
    member = pair_groups(pair[0], groups)
    grouped, alone = (
        [group_classes(side, by) for side in pair] for by in (member, pair[0]["image_id"])
    )
    sizes = {"images": alone[0].groups, "groups": grouped[0].groups}
    missing = dict.fromkeys(CLASS_COMPARISON_COLUMNS[4:12], np.nan)
    for metric in COMPARED:
        if metric != QUADRATIC_KAPPA or ordered:
            found = class_difference(metric, grouped, alone)
            yield missing | {"metric": metric} | found | sizes
    right = [side.predicted == side.label for side in grouped]
    statistic, p_value = clustered_mcnemar(*right, member)
    note = make_note("test_needs_two_groups" if np.isnan(p_value) else "test_without_interval")
    row = {"statistic": statistic, "degrees_of_freedom": 1, "p_value": p_value, "note": note}
    yield missing | {"metric": "accuracy", "method": CLUSTERED_MCNEMAR} | row | sizes
    called, classes = [side.predicted for side in grouped], len(grouped[0].of_class)
    tests = {CLUSTERED_STUART_MAXWELL: clustered_stuart_maxwell(*called, classes, member)}
    if repeat_count(pair[0]) == 1:
        found = stuart_maxwell(*called, classes)
        related = grouped[0].groups < len(member)
        note = make_note("test_of_independent_images") if related else ""
        tests[STUART_MAXWELL] = found._replace(note=join_notes(note, found.note))
    for method, test in tests.items():
        yield missing | {"metric": MARGINALS, "method": method} | _tested(test) | sizes


def _tested(test: MarginalTest) -> dict:
    row = {"statistic": test.statistic, "degrees_of_freedom": test.freedom}
    note = join_notes(make_note("test_without_interval"), test.note)
    return row | {"p_value": test.p_value, "note": note}


def class_difference(
    metric: str, grouped: Sequence[GroupedClasses], alone: Sequence[GroupedClasses]
) -> dict:
    """Return the difference of a metric with its jackknife over groups, else over images.

    Args:
        metric: One of :data:`COMPARED`.
        grouped: The two models with the groups of the images, see :func:`paired_rows`.
        alone: The same with every image as a group.

    Returns:
        method, first, second and difference; lower, upper and p_value where the metric is defined;
        and note.
    """
    values = [float(metric_values(metric, side.totals())) for side in grouped]
    row = {"method": BY_GROUP, "first": values[0], "second": values[1]}
    row["difference"] = values[0] - values[1]
    reasons = [undefined_reason(metric, side.totals()) for side in grouped]
    if any(reasons):
        return row | {"note": join_notes(*reasons)}
    for sides, method in ((grouped, BY_GROUP), (alone, BY_IMAGE)):
        without = [metric_values(metric, side.totals_without_one()) for side in sides]
        changes = without[0] - without[1] - row["difference"]
        parts = contributions(metric, sides[0].counts + sides[1].counts)
        found = jackknife_test(row["difference"], changes, parts, LEVEL)
        note = make_note("images_instead_of_groups") if method == BY_IMAGE else ""
        row |= {"method": method, "lower": found.lower, "upper": found.upper}
        row |= {"p_value": found.p_value, "note": join_notes(note, found.note)}
        if not np.isnan(found.p_value):
            break
    return row
