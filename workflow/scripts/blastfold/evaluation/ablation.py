"""The effect of each choice of an ablation: mean differences over its cells; learning curves.

All cells are tested on the same images. For every factor and level the difference to the factor's
reference, or to another level, is averaged over all combinations of the other factors. A leakage
group is left out of all cells at once, so that the interval takes their common images into account.
It is about other images of other groups. It does not include the variation between trainings,
although the mean over many cells reduces it.
"""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.interval_table import read_intervals
from blastfold.core.names import MACRO_AUC, POOLED, PRIMARY_METRIC, SHOWN_METRICS, TRAIN
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import primary_of, read_test_predictions
from blastfold.evaluation.intervals import LEVEL
from blastfold.evaluation.verdicts import (
    describe_only,
    no_verdict,
    repeats_of,
    tested_to_rest,
    verdict_row,
)
from blastfold.statistics.grouped import GroupedPredictions, group_predictions
from blastfold.statistics.jackknife import contributions, jackknife_test
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.outcomes import add_outcomes
from blastfold.statistics.pairing import KEYS, pair_groups
from blastfold.statistics.procedure import compare_summaries
from blastfold.statistics.repeated import mean_of, repeated_scores, summarise

Paths = Iterable[str | os.PathLike]

EFFECT_COLUMNS = (
    *("dataset", "protocol", "factor", "level", "reference", "view", "metric", "cells"),
    *("first", "second", "difference", "lower", "upper", "p_value", "adjusted_p_value"),
    *("minimum_detectable", "images", "groups", "repeats", "family", "outcome", "note"),
)
CURVE_COLUMNS = (
    *("dataset", "protocol", "model", "share", "training_images", "training_groups"),
    *("metric", "value", "lower", "upper", "note"),
)

Cell = tuple[str, ...]


def estimate_ablation(inputs: Mapping[str, Paths], plan: Mapping, outputs: Mapping) -> None:
    """Write the effects, the cells and the learning curve of one ablation.

    Args:
        inputs: Paths: predictions (of all folds) and intervals of each cell, groups
            (``groups.tsv`` of each data set), and of each point of the learning curve
            curve_intervals and curve_folds.
        plan: cells (dicts with dataset, protocol, model and levels), contrasts (factor, level
            and what it is compared with), datasets (names, as groups), curve (dicts with
            dataset, protocol, model and share), primary (the primary metric by data set) and
            family (the number of comparisons that the experiment declares).
        outputs: Paths of effects, cells and learning_curve; see :func:`effect_table`,
            :func:`cell_table` and :func:`learning_curve_table`.

    Raises:
        InputError: A file lacks a column, an image a leakage group, or an image has two labels.
    """
    groups = {
        name: read_groups(path)
        for name, path in zip(plan["datasets"], inputs["groups"], strict=True)
    }
    tested: dict[tuple[str, str], dict[Cell, pd.DataFrame]] = {}
    for cell, path in zip(plan["cells"], inputs["predictions"], strict=True):
        predictions = read_test_predictions([path])
        split = tested.setdefault((cell["dataset"], cell["protocol"]), {})
        split[tuple(cell["levels"].values())] = predictions
    factors = {}
    for cell in plan["cells"]:
        for factor, level in cell["levels"].items():
            factors.setdefault(factor, {})[level] = None
    effects = effect_table(
        tested,
        {name: list(found) for name, found in factors.items()},
        groups,
        plan["contrasts"],
        plan["primary"],
        plan["family"],
    )
    images = {
        (dataset, name)
        for (dataset, _), cells in tested.items()
        for predictions in cells.values()
        for name in predictions["image_id"]
    }
    for dataset, path in zip(plan["datasets"], inputs["groups"], strict=True):
        own = effects["dataset"] == dataset
        names = (name for owner, name in images if owner == dataset)
        noted = note_unknown(effects[own], [path], names)
        effects.loc[own, "note"] = noted["note"]
    write_noted(effects, outputs["effects"])
    write_noted(cell_table(plan["cells"], inputs["intervals"]), outputs["cells"])
    curve = learning_curve_table(
        plan["curve"], inputs["curve_intervals"], inputs["curve_folds"], groups
    )
    write_noted(curve, outputs["learning_curve"])


def effect_table(
    tested: Mapping[tuple[str, str], Mapping[Cell, pd.DataFrame]],
    factors: Mapping[str, Sequence[str]],
    groups: Mapping[str, pd.Series],
    contrasts: Sequence[tuple[str, str, str]],
    primary: Mapping[str, str | None] | None = None,
    family: int | None = None,
) -> pd.DataFrame:
    """Measure the effect of levels against the reference, or against another level.

    The verdict is the row of the view ``procedure`` and of the primary metric. All others are
    descriptive: they are about the trained networks.

    Args:
        tested: (data set, protocol) -> cell -> test predictions (image_id, fold, label,
            probability); a cell is the tuple of its levels, in the order of ``factors``.
        factors: Levels by factor, the reference first.
        groups: Leakage group by image_id, by data set.
        contrasts: What is compared: factor, level and reference.
        primary: The primary metric of every data set (None for that of its number of classes),
            the only one that is tested; the AUC when None.
        family: Number of comparisons that the experiment declares; that of these contrasts when
            None.

    Returns:
        Columns :data:`EFFECT_COLUMNS`, as fractions; no rows without contrasts. ``first`` and
        ``second`` are the means of the level and of the reference over the ``cells`` pairs of
        cells that differ in this factor alone, ``difference`` is first minus second with its
        interval by the delete-one-group jackknife. ``adjusted_p_value`` is that of a verdict, see
        :mod:`blastfold.evaluation.verdicts`.
    """
    rows, judged = [], []
    family = family or max(len(contrasts) * len(tested), 1)
    for (dataset, protocol), cells in tested.items():
        grouped, note = condense_cells(cells, groups[dataset])
        place = {"dataset": dataset, "protocol": protocol}
        for contrast, metric in itertools.product(contrasts, SHOWN_METRICS):
            names = dict(zip(("factor", "level", "reference"), contrast, strict=True))
            pairs, absent = _pairs_of_cells(*contrast, factors, grouped)
            found = mean_difference(metric, pairs)
            notes = join_notes(found.pop("note"), note, absent)
            row = {**place, **names, "view": POOLED, "metric": metric, **found, "note": notes}
            rows.append(row)
            if metric == SHOWN_METRICS[0]:
                declared = (
                    primary_of(primary[dataset], next(iter(cells.values())))
                    if primary
                    else PRIMARY_METRIC
                )
                verdict = _verdict(declared, contrast, factors, cells, groups[dataset], family)
                notes = join_notes(verdict.pop("note"), note, absent)
                judged.append(row | verdict | {"note": notes})
    if not rows:
        return pd.DataFrame(columns=list(EFFECT_COLUMNS))
    described = add_outcomes(pd.DataFrame(rows), ["metric"], LEVEL)
    repeats = repeats_of([table for cells in tested.values() for table in cells.values()])
    described = describe_only(described, repeats, family)
    return pd.concat([described, pd.DataFrame(judged)], ignore_index=True)[list(EFFECT_COLUMNS)]


def _verdict(
    metric: str,
    contrast: tuple[str, str, str],
    factors: Mapping[str, Sequence[str]],
    cells: Mapping[Cell, pd.DataFrame],
    groups: pd.Series,
    family: int,
) -> dict:
    """Return the verdict on the mean difference of a contrast over its pairs of cells."""
    keys = [key for key in KEYS if all(key in table for table in cells.values())]
    common = set.intersection(
        *(set(table[keys].itertuples(index=False, name=None)) for table in cells.values())
    )
    tested = {
        cell: table[[row in common for row in table[keys].itertuples(index=False, name=None)]]
        for cell, table in cells.items()
    }
    pairs, _ = _pairs_of_cells(*contrast, factors, tested)
    if not pairs or not common:
        return no_verdict(metric, family)
    sides = [
        mean_of([summarise(metric, repeated_scores(table, groups)) for table in side])
        for side in zip(*pairs, strict=True)
    ]
    ratio = tested_to_rest(next(iter(tested.values())), groups)
    found = compare_summaries(metric, *sides, ratio, LEVEL, family, paired=True)
    return verdict_row(found, family)


def condense_cells(
    cells: Mapping[Cell, pd.DataFrame], groups: pd.Series
) -> tuple[dict[Cell, GroupedPredictions], str]:
    """Condense the predictions of all cells on the images that all of them tested.

    Args:
        cells: Cell -> test predictions (image_id, repeat, fold, label, probability).
        groups: Leakage group by image_id.

    Returns:
        Condensed predictions by cell, none where no image is left, and a note where some are not.

    Raises:
        InputError: An image has two labels, is tested twice in a fold, or has no group.
    """
    columns, labels = {}, []
    keys = [key for key in KEYS if all(key in table for table in cells.values())]
    for cell, table in cells.items():
        indexed = table.set_index(keys)
        if not indexed.index.is_unique:
            raise InputError(f"predictions of {', '.join(cell)}: an image is twice in a fold")
        columns[cell] = indexed["probability"]
        labels.append(indexed["label"])
    stacked = pd.concat(labels)
    conflicts = stacked.groupby(level=keys).nunique() > 1
    if conflicts.any():
        image = conflicts.idxmax()[-1]
        raise InputError(f"labels of the cells of an ablation differ, for instance of {image}")
    label = stacked[~stacked.index.duplicated()]
    # No axis of tuples: pandas would make levels of it.
    joined = pd.concat(list(columns.values()), axis=1, join="inner", keys=range(len(columns)))
    if joined.empty:
        return {}, make_note("no_common_image")
    note = ""
    if len(joined) < len(label):
        note = make_note("common_images_of_cells", len(joined), len(label))
    frame = joined.reset_index()[keys]
    frame["label"] = label.loc[joined.index].to_numpy()
    member = pair_groups(frame, groups)
    return {
        cell: group_predictions(frame.assign(probability=joined[place].to_numpy()), member)
        for place, cell in enumerate(columns)
    }, note


def mean_difference(
    metric: str, pairs: Sequence[tuple[GroupedPredictions, GroupedPredictions]]
) -> dict:
    """Measure the mean difference of a metric over pairs of cells on the same images.

    Args:
        metric: A name of :data:`blastfold.core.names.SHOWN_METRICS`.
        pairs: For each pair the cell with the level and the cell with the reference.

    Returns:
        cells (number of pairs), first, second, difference, lower, upper, p_value,
        minimum_detectable, images, groups and note; NaN with a note where undefined.
    """
    nothing = dict.fromkeys(
        ("first", "second", "difference", "lower", "upper", "p_value", "minimum_detectable"),
        np.nan,
    )
    if not pairs:
        return {
            "cells": 0,
            **nothing,
            "images": 0,
            "groups": 0,
            "note": make_note("no_pair_of_cells"),
        }
    one = pairs[0][0]
    images = round(one.counts.sum())
    sizes = {"cells": len(pairs), "images": images, "groups": one.groups}
    totals = np.array([[cell.totals() for cell in pair] for pair in pairs])
    if reason := undefined_reason(metric, totals[0, 0]):
        return {**nothing, **sizes, "note": reason}
    first, second = metric_values(metric, totals).mean(axis=0)
    without = np.mean(
        [
            np.subtract(*(metric_values(metric, cell.totals_without_one()) for cell in pair))
            for pair in pairs
        ],
        axis=0,
    )
    difference = float(first - second)
    parts = contributions(metric, one.counts)
    found = jackknife_test(difference, without - difference, parts, LEVEL)
    return {
        **sizes,
        "first": float(first),
        "second": float(second),
        "difference": difference,
        **found._asdict(),
    }


def cell_table(cells: Sequence[Mapping], intervals: Paths) -> pd.DataFrame:
    """List the cells with their metrics and intervals.

    Args:
        cells: Dicts with dataset, protocol, model and levels (by factor).
        intervals: ``intervals.tsv`` of each.

    Returns:
        dataset, protocol, model, one column per factor, metric, value, lower, upper and note.
    """
    rows = []
    for cell, path in zip(cells, intervals, strict=True):
        place = {name: cell[name] for name in ("dataset", "protocol", "model")}
        rows += [{**place, **cell["levels"], **row} for row in _quoted(path)]
    columns = ["dataset", "protocol", "model", "metric", "value", "lower", "upper", "note"]
    return pd.DataFrame(rows) if rows else pd.DataFrame(columns=columns)


def learning_curve_table(
    points: Sequence[Mapping], intervals: Paths, folds: Paths, groups: Mapping[str, pd.Series]
) -> pd.DataFrame:
    """List a model's metrics by the share of the training groups that it learnt from.

    Args:
        points: Dicts with dataset, protocol (that of all training groups), model and share.
        intervals: ``intervals.tsv`` of each.
        folds: Fold table of each.
        groups: Leakage group by image_id, by data set.

    Returns:
        Columns :data:`CURVE_COLUMNS`; training_images and training_groups are means over folds.
    """
    rows = []
    for point, limits, table in zip(points, intervals, folds, strict=True):
        sizes = training_sizes(read_folds(table), groups[point["dataset"]])
        rows += [{**point, **sizes, **row} for row in _quoted(limits)]
    return pd.DataFrame(rows, columns=list(CURVE_COLUMNS))


def training_sizes(folds: pd.DataFrame, groups: pd.Series) -> dict[str, float]:
    """Count training images and their leakage groups, both as means over folds.

    Args:
        folds: image_id, fold and role.
        groups: Leakage group by image_id.
    """
    training = folds[folds["role"] == TRAIN]
    by_fold = training.assign(group=training["image_id"].map(groups)).groupby("fold")
    return {
        "training_images": float(by_fold.size().mean()),
        "training_groups": float(by_fold["group"].nunique().mean()),
    }


def _quoted(path: str | os.PathLike) -> list[dict]:
    """Return metric, value, lower, upper and note of the recommended intervals of SHOWN_METRICS.

    Of more than two classes also those of the macro AUC.
    """
    found = read_intervals(path, SHOWN_METRICS).loc[POOLED]
    over = [MACRO_AUC] if MACRO_AUC in found.index else []
    quoted = found.loc[[*SHOWN_METRICS, *over]]
    return quoted.reset_index()[["metric", "value", "lower", "upper", "note"]].to_dict("records")


def _pairs_of_cells(
    factor: str,
    level: str,
    reference: str,
    factors: Mapping[str, Sequence[str]],
    grouped: Mapping,
) -> tuple[list[tuple], str]:
    """Pair the cells of a level with those of the reference; a note where some are missing."""
    place = list(factors).index(factor)
    others = [levels for name, levels in factors.items() if name != factor]
    pairs, absent = [], 0
    for rest in itertools.product(*others):
        names = [(*rest[:place], one, *rest[place:]) for one in (level, reference)]
        if all(name in grouped for name in names):
            pairs.append(tuple(grouped[name] for name in names))
        else:
            absent += 1
    if not absent or not grouped:
        return pairs, ""
    return pairs, make_note("missing_pairs_of_cells", absent, absent + len(pairs))
