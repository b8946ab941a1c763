"""How much of a result is the protocol: the same model under two protocols of one data set.

Where a split by image lets copies, pictures and subjects cross from training to test, its result
is too good; the gap to a split that keeps leakage groups together measures by how much. Both
results rest on images of the same groups, often on the same images, so that they are not
independent: the images that both tested are paired, and of images that only one tested the
jackknife leaves a group out of both sets at once. The interval is about other images of other
groups. It does not include the variation between splits or trainings.
"""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from blastfold.core.group_table import note_unknown, read_groups
from blastfold.core.names import GROUPINGS, METRICS, PRIMARY_METRIC
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.predictions import primary_of, read_test_predictions
from blastfold.evaluation.intervals import BY_GROUP, BY_IMAGE, LEVEL
from blastfold.evaluation.verdicts import compare_trained, describe_only, repeats_of
from blastfold.statistics import comparison
from blastfold.statistics.grouped import GroupedPredictions, group_predictions
from blastfold.statistics.jackknife import (
    DIFFERENCE_POWER,
    Spread,
    bounded_interval,
    contributions,
    difference_by_t,
    few_groups_note,
    spread,
)
from blastfold.statistics.metrics import metric_values, undefined_reason
from blastfold.statistics.outcomes import add_outcomes
from blastfold.statistics.pairing import pair_groups, pair_predictions

Paths = Iterable[str | os.PathLike]

OWN, COMMON = "own images", "common images"
"""The views: every protocol with all its test images, and the images that both tested alone."""

ENOUGH = 0.5
"""The common images are quoted where they are at least this share of the smaller test set."""

GAP_COLUMNS = (
    *("model", "first_protocol", "second_protocol", "first_group_by", "second_group_by"),
    *("view", "metric", "method", "first", "second", "difference", "lower", "upper"),
    *("p_value", "adjusted_p_value", "minimum_detectable"),
    *("first_images", "second_images", "common_images", "groups", "repeats", "family"),
    *("recommended", "outcome", "note"),
)


def estimate_protocol_gap(
    predictions: Paths,
    runs: Sequence[dict],
    groups: str | os.PathLike,
    output: str | os.PathLike,
    *,
    primary: str | None = PRIMARY_METRIC,
    family: int | None = None,
) -> None:
    """Write the gap between every pair of protocols, for every model run under both.

    Args:
        predictions: Predictions of all folds of each run, one file per run.
        runs: For each run, in the same order, model, protocol and group_by (what the protocol
            keeps together).
        groups: ``groups.tsv`` of the data set.
        output: Table to write, see :func:`gap_table`.
        primary: The primary metric; None for that of the number of classes.
        family: See :func:`gap_table`.

    Raises:
        InputError: A file lacks a column, an image a leakage group, or an image that two
            protocols tested has two labels.
    """
    tested = {
        (run["model"], run["protocol"]): read_test_predictions([path])
        for run, path in zip(runs, predictions, strict=True)
    }
    group_by = {run["protocol"]: run["group_by"] for run in runs}
    primary = primary_of(primary, next(iter(tested.values())))
    table = gap_table(tested, group_by, read_groups(groups), primary, family)
    images = pd.concat([part["image_id"] for part in tested.values()])
    write_noted(note_unknown(table, [groups], images), output)


def gap_table(
    tested: Mapping[tuple[str, str], pd.DataFrame],
    group_by: Mapping[str, str],
    groups: pd.Series,
    primary: str = PRIMARY_METRIC,
    family: int | None = None,
) -> pd.DataFrame:
    """Compare the protocols of every model.

    The verdict is the row of the view ``procedure`` and of the primary metric. All others are
    descriptive: they are about the trained networks.

    Args:
        tested: (model, protocol) -> test predictions (image_id, fold, label, probability).
        group_by: What every protocol keeps together, one of :data:`blastfold.core.names.GROUPINGS`.
        groups: Leakage group by image_id.
        primary: The primary metric, the only one that is tested.
        family: Number of comparisons that the experiment declares; that of these pairs when None.

    Returns:
        Columns :data:`GAP_COLUMNS`, no rows where no model has two protocols. The protocol that
        keeps less together comes first, and a difference is first minus second: what it adds to
        the result. ``adjusted_p_value`` is that of a verdict, see
        :mod:`blastfold.evaluation.verdicts`.
    """
    protocols = sorted(group_by, key=lambda name: GROUPINGS.index(group_by[name]))
    rows, judged = [], []
    for model in dict.fromkeys(model for model, _ in tested):
        run_under = [name for name in protocols if (model, name) in tested]
        for pair in itertools.combinations(run_under, 2):
            names = {"model": model, "first_protocol": pair[0], "second_protocol": pair[1]}
            names |= {"first_group_by": group_by[pair[0]], "second_group_by": group_by[pair[1]]}
            first, second = (tested[model, protocol] for protocol in pair)
            rows += [names | row for row in _gaps(first, second, pair, groups)]
            judged.append((names, (first, second)))
    if not rows:
        return pd.DataFrame(columns=list(GAP_COLUMNS))
    family = family or len(judged)
    described = add_outcomes(pd.DataFrame(rows), ["metric", "view", "method"], LEVEL)
    described = describe_only(described, repeats_of(list(tested.values())), family)
    # The verdict is quoted in place of the description.
    described["recommended"] &= described["metric"] != primary
    verdicts = [
        {**names, **_sizes(*sides), **compare_trained(primary, *sides, groups, family)}
        for names, sides in judged
    ]
    table = pd.concat([described, pd.DataFrame(verdicts)], ignore_index=True)
    return table[list(GAP_COLUMNS)]


def _sizes(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, int]:
    """Count the images of both protocols and those that both tested."""
    images = [set(side["image_id"]) for side in (first, second)]
    common = len(images[0] & images[1])
    sizes = {"first_images": len(images[0]), "second_images": len(images[1])}
    return {"common_images": common, **sizes}


def _gaps(
    first: pd.DataFrame, second: pd.DataFrame, protocols: tuple[str, str], groups: pd.Series
) -> Iterator[dict]:
    """Yield every metric's gap in every view; the view to quote comes first."""
    common = set(first["image_id"]) & set(second["image_id"])
    sizes = _sizes(first, second)
    sides = (first, second)
    views = {OWN: lambda metric, by: _union_jackknife(metric, sides, protocols, by)}
    if common and not any(side["image_id"].duplicated().any() for side in sides):
        # Folds of different protocols are not the same folds: images are paired by name alone.
        shared = [side[side["image_id"].isin(common)].drop(columns="fold") for side in sides]
        paired = pair_predictions(*shared, protocols)
        views[COMMON] = lambda metric, by: _paired_jackknife(metric, paired, by)
        if len(common) == len(first) == len(second):
            del views[OWN]
        elif len(common) >= ENOUGH * min(len(first), len(second)):
            views = {COMMON: views[COMMON], OWN: views[OWN]}
    quoted = next(iter(views))
    for metric in METRICS:
        for view, measure in views.items():
            gap = sizes | measure(metric, groups)
            row = {"view": view, "metric": metric}
            measured = not np.isnan(gap["p_value"]) or np.isnan(gap["difference"])
            row |= {"method": BY_GROUP, "recommended": measured and view == quoted}
            yield gap | row | {"note": join_notes(_shared_note(gap), gap["note"])}
            if view == quoted and not measured:
                gap = sizes | measure(metric, None)
                row |= {"method": BY_IMAGE, "recommended": True}
                fallback = make_note("images_instead_of_groups")
                yield gap | row | {"note": join_notes(_shared_note(gap), fallback, gap["note"])}


def _shared_note(gap: Mapping[str, object]) -> str:
    if not gap["common_images"]:
        return make_note("unpaired")
    return make_note("common_images", gap["common_images"])


def _paired_jackknife(metric: str, paired: pd.DataFrame, groups: pd.Series | None) -> dict:
    """Compare a metric on the images that both protocols tested."""
    found = comparison.compare(metric, comparison.model_pair(paired, groups), level=LEVEL)
    return vars(found) | dict.fromkeys(("first_images", "second_images"), len(paired))


def _union_jackknife(
    metric: str,
    tables: Sequence[pd.DataFrame],
    protocols: tuple[str, str],
    groups: pd.Series | None,
) -> dict:
    """Compare a metric of two sets of images that may share groups.

    A group is left out of both sets at once, so that the covariance of what they share is in the
    variance; without a shared group the variances add up. The degrees of freedom are those of
    all groups, or Welch's (1947) of the two sets where these are fewer.
    """
    members = [
        table["image_id"].to_numpy() if groups is None else pair_groups(table, groups)
        for table in tables
    ]
    names = [pd.unique(member) for member in members]
    sides = [group_predictions(*side) for side in zip(tables, members, strict=True)]
    values = [float(metric_values(metric, side.totals())) for side in sides]
    gap = {"first": values[0], "second": values[1], "difference": values[0] - values[1]}
    gap |= dict.fromkeys(("lower", "upper", "p_value", "minimum_detectable"), np.nan)
    gap["groups"] = len(set().union(*names))
    reasons = [undefined_reason(metric, side.totals()) for side in sides]
    if any(reasons):
        return gap | {"note": notes_about(dict(zip(protocols, reasons, strict=True)))}
    measured, note = _joint_spread(metric, sides, names, values)
    if not measured.standard_error > 0:
        return gap | {"note": note}
    lower, upper, p_value, detectable = difference_by_t(gap["difference"], measured, LEVEL)
    return gap | {
        "lower": lower,
        "upper": upper,
        "p_value": p_value,
        "minimum_detectable": detectable,
        "note": join_notes(note, few_groups_note(measured.effective_groups)),
    }


def _joint_spread(
    metric: str,
    sides: Sequence[GroupedPredictions],
    names: Sequence[np.ndarray],
    values: Sequence[float],
) -> tuple[Spread, str]:
    """Measure how much the difference varies with the groups of both sets of images."""
    union = pd.unique(np.concatenate(names))
    change = np.zeros(len(union))
    weight = [np.zeros(len(union)) for _ in contributions(metric, sides[0].counts)]
    variances, freedoms, unseen = [], [], []
    for sign, side, own, value in zip((1, -1), sides, names, values, strict=True):
        changes = np.nan_to_num(metric_values(metric, side.totals_without_one()) - value)
        parts = contributions(metric, side.counts)
        alone = spread(changes, parts, DIFFERENCE_POWER)
        if np.isnan(alone.standard_error):
            return alone, make_note("fewer_than_two_groups")
        unseen.append(_unseen_variance(metric, value, alone))
        variances.append(alone.standard_error**2 + unseen[-1])
        freedoms.append(alone.degrees_of_freedom)
        places = pd.Index(union).get_indexer(own)
        change[places] += sign * changes
        for total, part in zip(weight, parts, strict=True):
            # As shares: a set of many images does not outweigh one of few.
            total[places] += part / part.sum()
    together = spread(change, weight, DIFFERENCE_POWER)
    error = float(np.sqrt(together.standard_error**2 + sum(unseen)))
    welch = sum(variances) ** 2 / sum(np.square(variances) / freedoms)
    freedom = min(together.degrees_of_freedom, welch)
    note = make_note("exact_spread_of_one_protocol") if any(unseen) else ""
    return Spread(error, freedom, min(together.effective_groups, welch + 1)), note


def _unseen_variance(metric: str, value: float, alone: Spread) -> float:
    """Return the variance that a value without spread has nevertheless, 0 for any other.

    Where all images are right, for instance, the groups do not differ, and another set might
    still hold errors: the reach of the exact interval over the t quantile is used as the
    standard error (variance recovered from limits; Zou and Donner 2008).
    """
    if alone.standard_error > 1e-12:
        return 0.0
    lower, upper, _ = bounded_interval(metric, value, alone, LEVEL)
    reach = max(value - lower, upper - value)
    return float((reach / stdtrit(alone.degrees_of_freedom, (1 + LEVEL) / 2)) ** 2)
