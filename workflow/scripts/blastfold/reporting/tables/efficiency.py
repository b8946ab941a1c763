"""The table of accuracy against cost, under the honest protocol of a data set."""

import os
from collections.abc import Iterable, Mapping

import pandas as pd

from blastfold.core.notes import join_notes, make_note, only_notes, without_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.network_cost import read_speeds
from blastfold.reporting.tables.writing import heading_of, write_table
from blastfold.reporting.verdicts import MARGIN, cost_words
from blastfold.statistics.pareto import pareto_front

Paths = Iterable[str | os.PathLike]

COSTS = {"multiply_adds": "multiply-adds", "latency_ms": "latency", "parameters": "parameters"}
"""Costs of an accuracy, with their words."""

NO_REFERENCE = ("random_backbone", "no_costlier_model", "no_costlier_known")
"""Notes on a model that is compared with no other one."""

NOT_RANKED = "not ranked"
NEITHER = "on no front"


def tabulate_efficiency(
    efficiency: str | os.PathLike,
    measured: str | os.PathLike | None,
    dataset: str,
    titles: Mapping[str, str],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write accuracy and cost of every model of a split.

    Args:
        efficiency: ``efficiency.tsv``, see :func:`blastfold.evaluation.efficiency.rank_split`.
        measured: ``measured.tsv`` (:mod:`blastfold.planning.network_speed`); None without.
        dataset: Name of the data set.
        titles: Titles of the models by name.
        title: Titles of the data set and the protocol.
        label: LaTeX label.
        paths: Tables to write.
    """
    table = read_ranked(efficiency, measured, dataset)
    rows = [efficiency_row(row, titles) for row in table.to_dict("records")]
    caption = (
        f"Accuracy and cost: {title}. In brackets the 95 % interval. A model is on the front of a "
        "cost when no other one is at least as good and costs at most as much; neighbours on a "
        "front need not differ. Each model is compared with the best of those that need more "
        "multiply-adds, by the verdict at the simultaneous level of all verdicts of the "
        f"experiment; as good means that the interval excludes a loss of {100 * MARGIN:g} points. "
        "Random frozen backbones are on no front and are not compared."
    )
    write_table(pd.DataFrame(rows), paths, caption, label)


def read_ranked(
    efficiency: str | os.PathLike, measured: str | os.PathLike | None, dataset: str
) -> pd.DataFrame:
    """Read the models of a data set with their accuracy and all costs.

    Args:
        efficiency: See :func:`tabulate_efficiency`.
        measured: See there.
        dataset: Name of the data set.

    Returns:
        The rows of ``efficiency.tsv`` with ``latency_ms`` and ``front_latency_ms``, 1 on the
        front; latency_ms is NaN, with a note, where nothing was measured.
    """
    table = read_table(
        efficiency,
        ("dataset", "model", "metric", "value", "random_backbone", "outcome"),
        ("dataset", "model", "reference", "outcome"),
    )
    table = table[table["dataset"] == dataset].reset_index(drop=True)
    speeds = read_speeds(measured)
    found = [speeds.get((dataset, model)) for model in table["model"]]
    table["latency_ms"] = [row["latency_ms"] if row else float("nan") for row in found]
    table["note"] = [
        join_notes(note, "" if row else make_note("not_measured"))
        for note, row in zip(table["note"], found, strict=True)
    ]
    learnt = table["random_backbone"] == 0
    front = pareto_front(table["latency_ms"].where(learnt), table["value"])
    return table.assign(front_latency_ms=front.astype(int))


def efficiency_row(row: Mapping, titles: Mapping[str, str]) -> dict:
    """Return the row of one model.

    Args:
        row: As :func:`read_ranked` returns it.
        titles: Titles of the models by name.

    Returns:
        model with its title; the metric, by its name, with its limits; the costs; front, in words;
        compared, the sentence on a costlier model; note.
    """
    metric = row["metric"]
    fronts = [words for cost, words in COSTS.items() if row[f"front_{cost}"]]
    compared = sentences(only_notes(row["note"], *NO_REFERENCE))
    if row["reference"]:
        compared = cost_words(row, titles[row["reference"]])
    return {
        "model": row["model"],
        "model_title": titles[row["model"]],
        metric: row["value"],
        f"{metric}_lower": row["lower"],
        f"{metric}_upper": row["upper"],
        "multiply_adds_millions": round(row["multiply_adds"] / 1e6, 3),
        "latency_ms": float(f"{row['latency_ms']:.3g}"),
        "parameters_millions": round(row["parameters"] / 1e6, 3),
        "front": NOT_RANKED if row["random_backbone"] else ", ".join(fronts) or NEITHER,
        "compared": compared,
        "note": sentences(without_notes(row["note"], *NO_REFERENCE), short=True),
    }


def metric_title(table: pd.DataFrame) -> str:
    """Return the heading of the metric of a split."""
    return heading_of(table["metric"].iloc[0])
