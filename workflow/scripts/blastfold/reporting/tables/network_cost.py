"""The table of what every network costs: counts, measurements, hours of training."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_table

MEASURED = (
    *("latency_ms", "latency_p90_ms", "images_per_second"),
    *("peak_memory_mb", "gpu_memory_mb"),
)
"""Columns of ``measured.tsv`` that are shown."""

CAPTION = (
    "Cost of the networks. Multiply-adds of convolutions and dense layers for one image of this "
    "size, without its pre-processing; weights as float32. Training and features: hours of all "
    "trainings of the model on the data set; features that several models share count for each."
)
SPEED = (
    " Latency: median and 90th percentile of single images in turns with the other networks, from "
    "the stored image to the probabilities. Images per second: batches of {batch_size:.0f}. Peak "
    "memory: of a process that loads the libraries and this network alone. Measured on {device} "
    "with {runtime}, {precision}, {threads:.0f} thread(s), on a machine of {cores:.0f} cores with "
    "a load average of {load_before:.1f} before and {load_after:.1f} after it."
)


def tabulate_network_costs(
    trainings: Sequence[Sequence],
    runs: Sequence[str],
    titles: Mapping[str, Mapping[str, str]],
    counts: str | os.PathLike,
    measured: str | os.PathLike | None,
    paths: Iterable[str],
) -> None:
    """Write the table of networks.

    Args:
        trainings: data set, protocol, model and number of folds of everything that was trained.
        runs: ``runs.json`` of each, the records of all its folds.
        titles: Titles by name, under dataset, protocol and model.
        counts: ``networks.tsv``, see :func:`blastfold.evaluation.efficiency.count_network`.
        measured: ``measured.tsv`` (:mod:`blastfold.planning.network_speed`); None without.
        paths: Files to write, see :func:`blastfold.reporting.tables.writing.write_table`.
    """
    records: dict[tuple[str, str], list[dict]] = {}
    for (dataset, _, model, _), path in zip(trainings, runs, strict=True):
        found = json.loads(Path(path).read_text("utf-8"))
        records.setdefault((dataset, model), []).extend(found)
    speeds = read_speeds(measured)
    rows = [
        network_row(row, speeds.get((row["dataset"], row["model"])), records, titles)
        for row in read_table(counts, ("dataset", "model", "multiply_adds")).to_dict("records")
    ]
    caption = CAPTION + describe_machine(speeds)
    write_table(pd.DataFrame(rows), paths, caption, "tab:network_cost")


def read_speeds(measured: str | os.PathLike | None) -> dict[tuple[str, str], dict]:
    """Read what was measured, by data set and model; nothing without a file."""
    if measured is None:
        return {}
    table = read_table(measured, ("dataset", "model", *MEASURED), ("dataset", "model"))
    return {(row["dataset"], row["model"]): row for row in table.to_dict("records")}


def describe_machine(speeds: Mapping[tuple[str, str], Mapping]) -> str:
    """Return the sentences of a caption on what the speeds were measured on."""
    if not speeds:
        return ""
    facts = next(iter(speeds.values()))
    device = "the CPU" if facts["device"] == "CPU" else facts["device"]
    # A backbone in an ONNX file has another runtime than the networks of Keras.
    runtimes = " or ".join(dict.fromkeys(row["runtime"] for row in speeds.values()))
    return SPEED.format(**{**facts, "device": device, "runtime": runtimes})


def network_row(
    counted: Mapping,
    speed: Mapping | None,
    records: Mapping[tuple[str, str], Sequence[Mapping]],
    titles: Mapping[str, Mapping[str, str]],
) -> dict:
    """Return the row of one network.

    Args:
        counted: Its row of ``networks.tsv``.
        speed: Its row of ``measured.tsv``; None without.
        records: Records of the trainings by data set and model.
        titles: Titles by name, under dataset and model.
    """
    place = (counted["dataset"], counted["model"])
    notes = [counted["note"], speed["note"] if speed else make_note("not_measured")]
    return {
        "dataset": place[0],
        "dataset_title": titles["dataset"].get(place[0], place[0]),
        "model": place[1],
        "model_title": titles["model"].get(place[1], place[1]),
        "images": f"{counted['height']}x{counted['width']}",
        "parameters": counted["parameters"],
        "trained_parameters": counted["trained_parameters"],
        "multiply_adds_millions": round(counted["multiply_adds"] / 1e6, 3),
        "weights_mb": round(counted["weight_bytes"] / 1e6, 3),
        **{name: _rounded(speed[name]) if speed else float("nan") for name in MEASURED},
        **hours_of(records.get(place, [])),
        "note": sentences(join_notes(*notes)),
    }


def hours_of(records: Sequence[Mapping]) -> dict[str, float]:
    """Return the hours of the trainings of a model, and of the features that they learnt from.

    Args:
        records: The record of every fold under every protocol.
    """
    # Folds and protocols may share their features.
    extractions = {
        record["digests"]["features"]: record["extraction"]["seconds"]
        for record in records
        if "extraction" in record
    }
    return {
        "training_hours": round(sum(record["seconds"] for record in records) / 3600, 4),
        "extraction_hours": round(sum(extractions.values()) / 3600, 4),
    }


def _rounded(number: float) -> float:
    """Return a measured number with three digits, as many as a second measurement repeats."""
    if math.isnan(number):
        return number
    return float(f"{number:.3g}") if number < 1000 else float(round(number))
