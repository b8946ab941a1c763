"""Cost of networks, counted from their layers, next to the accuracy of an honest split.

What is measured on a machine (latency, memory) is not here: these tables are the same everywhere.
"""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.interval_table import read_intervals
from blastfold.core.names import POOLED, PROCEDURE
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import FIRST_HIGHER, SECOND_HIGHER, join_notes, make_note
from blastfold.core.tables import read_table
from blastfold.statistics.pareto import pareto_front

Paths = Sequence[str | os.PathLike]

WEIGHT_BYTES = 4
"""Bytes of a weight, float32."""

COUNTED = ("parameters", "trained_parameters", "multiply_adds")
"""Columns of ``layers.tsv`` that are added up."""

RANKED_BY = ("multiply_adds", "parameters")
"""Costs that are the same on every machine, each with a Pareto front."""

COMPARED = ("difference", "lower", "upper", "minimum_detectable")
"""Numbers of a verdict."""

FLIPPED = {FIRST_HIGHER: SECOND_HIGHER, SECOND_HIGHER: FIRST_HIGHER}


def estimate_efficiency(
    layers: Paths,
    networks: Sequence[Mapping],
    intervals: Paths,
    comparisons: Paths,
    runs: Sequence[Mapping],
    primary: Mapping[str, str | None],
    counts: str | os.PathLike,
    efficiency: str | os.PathLike,
) -> None:
    """Write what every network costs, and what it costs to be as good as another one.

    Args:
        layers: ``layers.tsv`` of each network.
        networks: For each network, in the same order, dataset, model, and height and width of the
            images in pixels.
        intervals: ``intervals.tsv`` of each run.
        comparisons: ``comparisons.tsv`` of each split of the runs, in their order.
        runs: For each run, in the same order, dataset, protocol, model and random_backbone.
        primary: The primary metric of every data set; None for that of the verdicts.
        counts: Table to write, see :func:`count_network`.
        efficiency: Table to write, see :func:`rank_split`.

    Raises:
        InputError: A file lacks a column or a comparison.
    """
    counted = [
        {**network, **count_network(read_table(path, ("kind", *COUNTED)))}
        for path, network in zip(layers, networks, strict=True)
    ]
    write_noted(pd.DataFrame(counted), counts)
    costs = {(row["dataset"], row["model"]): row for row in counted}
    splits: dict[tuple[str, str], list[dict]] = {}
    compared = dict.fromkeys((run["dataset"], run["protocol"]) for run in runs)
    judged = {
        split: primary[split[0]] or judged_metric(path)
        for split, path in zip(compared, comparisons, strict=True)
    }
    for path, run in zip(intervals, runs, strict=True):
        metric = judged[run["dataset"], run["protocol"]]
        found = read_intervals(path, [metric]).loc[(POOLED, metric)]
        row = {**run, "metric": metric, **found[["value", "lower", "upper", "note"]]}
        cost = costs[run["dataset"], run["model"]]
        row |= {name: cost[name] for name in RANKED_BY}
        row["note"] = join_notes(row["note"], cost["note"])
        splits.setdefault((run["dataset"], run["protocol"]), []).append(row)
    ranked = [
        rank_split(rows, read_verdicts(path, rows[0]["metric"]))
        for rows, path in zip(splits.values(), comparisons, strict=True)
    ]
    write_noted(pd.concat(ranked, ignore_index=True) if ranked else _no_ranking(), efficiency)


def count_network(layers: pd.DataFrame) -> dict:
    """Add up the layers of a network.

    Args:
        layers: kind, parameters, trained_parameters and multiply_adds (of one image; NaN for a
            layer without a formula) of each layer.

    Returns:
        parameters, trained_parameters, multiply_adds (NaN when a layer is not counted),
        weight_bytes (float32) and note.
    """
    uncounted = layers.loc[layers["multiply_adds"].isna(), "kind"]
    totals = {name: int(layers[name].sum()) for name in COUNTED}
    if len(uncounted):
        totals["multiply_adds"] = np.nan
    notes = [make_note("uncounted_layer", kind) for kind in dict.fromkeys(uncounted)]
    return {
        **totals,
        "weight_bytes": WEIGHT_BYTES * totals["parameters"],
        "note": join_notes(*notes),
    }


def judged_metric(path: str | os.PathLike) -> str:
    """Return the metric of the verdicts of a split.

    Args:
        path: ``comparisons.tsv`` of the split.

    Raises:
        InputError: It has no verdict.
    """
    table = read_table(path, ("view", "metric"))
    metrics = table.loc[table["view"] == PROCEDURE, "metric"]
    if metrics.empty:
        raise InputError(f"{path}: has no verdict, expected one for every pair of models")
    return str(metrics.iloc[0])


def read_verdicts(path: str | os.PathLike, primary: str) -> pd.DataFrame:
    """Read the verdicts of a split: first_model, second_model, outcome and :data:`COMPARED`."""
    columns = ("first_model", "second_model", "view", "metric", "outcome", "note", *COMPARED)
    table = read_table(path, columns, ("first_model", "second_model", "outcome"))
    return table[(table["view"] == PROCEDURE) & (table["metric"] == primary)]


def rank_split(rows: Sequence[Mapping], verdicts: pd.DataFrame) -> pd.DataFrame:
    """Compare the models of a split with models that cost more.

    Args:
        rows: For each model dataset, protocol, model, random_backbone, metric, value, lower,
            upper, note and the costs :data:`RANKED_BY`.
        verdicts: See :func:`read_verdicts`.

    Returns:
        The rows with

        * ``front_multiply_adds`` and ``front_parameters``, 1 on the Pareto front of the models
          whose backbone is not random;
        * ``reference``: of the models that need more multiply-adds the one with the highest value;
          empty where there is none, and for random backbones, which no model is compared with;
        * ``cost_ratio``, the multiply-adds of the reference divided by those of the model;
        * ``difference``, the model minus the reference, with ``difference_lower``,
          ``difference_upper``, ``minimum_detectable`` and ``outcome`` of the verdict.
    """
    table = pd.DataFrame(rows)
    learnt = ~table["random_backbone"].astype(bool)
    for cost in RANKED_BY:
        front = pareto_front(table[cost].where(learnt), table["value"])
        table[f"front_{cost}"] = front.astype(int)
    table["random_backbone"] = table["random_backbone"].astype(int)
    found = []
    for row in table.to_dict("records"):
        if row["random_backbone"]:
            found.append(_no_reference(row, make_note("random_backbone")))
            continue
        costlier = table[learnt & (table["multiply_adds"] > row["multiply_adds"])]
        known = table[learnt & table["value"].notna() & table["multiply_adds"].notna()]
        costlier = costlier[costlier["value"].notna()]
        if costlier.empty:
            note = "" if np.isnan(row["multiply_adds"]) else make_note("no_costlier_model")
            left_out = int(learnt.sum()) - len(known)
            if note and left_out:
                note = make_note("no_costlier_known", left_out)
            found.append(_no_reference(row, note))
            continue
        reference = costlier.loc[costlier["value"].idxmax()]
        ratio = reference["multiply_adds"] / row["multiply_adds"]
        verdict = find_verdict(verdicts, row["model"], reference["model"])
        verdict["note"] = join_notes(row["note"], verdict["note"])
        found.append({**row, "reference": reference["model"], "cost_ratio": ratio, **verdict})
    return pd.DataFrame(found)


def find_verdict(verdicts: pd.DataFrame, model: str, reference: str) -> dict:
    """Return the verdict on a model minus another one, whichever was the first.

    Raises:
        InputError: There is none.
    """
    for row in verdicts.to_dict("records"):
        if (row["first_model"], row["second_model"]) == (model, reference):
            break
        if (row["first_model"], row["second_model"]) == (reference, model):
            row |= {
                "difference": -row["difference"],
                "lower": -row["upper"],
                "upper": -row["lower"],
                "outcome": FLIPPED.get(row["outcome"], row["outcome"]),
            }
            break
    else:
        raise InputError(f"comparisons.tsv: no verdict on {model} and {reference}")
    return {
        "difference": row["difference"],
        "difference_lower": row["lower"],
        "difference_upper": row["upper"],
        "minimum_detectable": row["minimum_detectable"],
        "outcome": row["outcome"],
        "note": row["note"],
    }


def _no_reference(row: Mapping, note: str) -> dict:
    numbers = ("cost_ratio", "difference", "difference_lower", "difference_upper")
    return {
        **row,
        "reference": "",
        **dict.fromkeys((*numbers, "minimum_detectable"), np.nan),
        "outcome": "",
        "note": join_notes(row["note"], note),
    }


def _no_ranking() -> pd.DataFrame:
    return pd.DataFrame(columns=["dataset", "protocol", "model"])
