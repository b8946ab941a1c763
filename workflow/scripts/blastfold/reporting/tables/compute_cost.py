"""What every job cost: time, memory, images per second, from the records that jobs leave."""

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.tables import read_table
from blastfold.reporting.tables.writing import write_table

ALL = "all"
"""Name, in a sum, of what is summed over."""

COLUMNS = ("job", "dataset", "protocol", "model")
"""What a row is about, text; empty where a job concerns no protocol or no model."""

OF_ALL_FOLDS = ("train_folds", "train_heads")
"""Rules whose jobs train all folds of a model."""

NO_TRAINING = "n/a: trains no network"
ON_CPU = "GPU memory n/a: trained on the CPU"
CAPTION = (
    "Cost of computing. Seconds of all jobs together, as if one had run after the other; memory "
    "of the largest job; training images per second within epochs, validation included. "
    "Evaluation, measurements of speed, tables and figures are left out."
)
ENERGY = (
    " The energy is an estimate and not measured: the device-hours times an assumed power of "
    "{watts:g} W (config key watts)."
)


def collect_costs(
    trainings: Sequence[Sequence],
    runs: Sequence[str],
    jobs: Iterable[Sequence[str]],
    benchmarks: str | os.PathLike,
    titles: Mapping[str, Mapping[str, str]],
    paths: Iterable[str],
    watts: float | None = None,
) -> None:
    """Write the table of costs.

    Args:
        trainings: data set, protocol, model and number of folds of everything that was trained.
        runs: ``runs.json`` of each, the records of all its folds.
        jobs: Rule, data set and place of every other measured job of the experiment (see
            :class:`blastfold.experiment.measured_jobs.MeasuredJob`). Files of other jobs were left
            by other experiments or by an earlier config and are passed over.
        benchmarks: Folder of Snakemake's benchmark files, <rule>/<data set>/...tsv. They are no
            declared outputs: one that is missing is replaced by the job's own record and noted.
        titles: Titles by name, under dataset, protocol and model.
        paths: Files to write, see :func:`blastfold.reporting.tables.writing.write_table`.
        watts: Power that the computer is assumed to draw; None for no estimate of its energy.
    """
    rows = []
    for (*names, _), path in zip(trainings, runs, strict=True):
        records = json.loads(Path(path).read_text("utf-8"))
        rows.append(training_cost(tuple(names), records, Path(benchmarks)))
    rows = [*other_costs(Path(benchmarks), jobs), *rows]
    table = cost_table(rows, titles)
    caption = CAPTION
    if watts:
        place = table.columns.get_loc("device_hours") + 1
        table.insert(place, "estimated_kwh", (table["device_hours"] * watts / 1000).round(4))
        caption += ENERGY.format(watts=watts)
    write_table(table, paths, caption, "tab:compute_cost")


def training_cost(names: tuple[str, str, str], records: Sequence[dict], benchmarks: Path) -> dict:
    """Add up what the trainings of all folds of one model cost.

    Returns:
        The columns of :data:`COLUMNS`, jobs, seconds, peak_memory_mb, gpu_memory_mb (None on a
        CPU), images (of all epochs), epoch_seconds and note.
    """
    rule = records[0]["job"]
    recorded = _recorded_jobs(rule, records)
    jobs = [read_benchmark(path) for path in _benchmarks_of(rule, names, records, benchmarks)]
    measured = [job or record for job, record in zip(jobs, recorded, strict=True)]
    missing = [job is None for job in jobs]
    notes = []
    if any(missing):
        notes.append(
            f"{sum(missing)} of {len(jobs)} benchmark files are missing: the records of the "
            "trainings replace them, without the start of the job"
        )
    seconds = sum(job["seconds"] for job in measured)
    in_epochs = sum(record["epoch_seconds"] for record in records)
    if in_epochs > seconds + 1:
        notes.append(
            "a training was interrupted: seconds are those of the last attempt, all epochs "
            f"together took {in_epochs:.0f} s"
        )
    on_gpu = [record["peak_gpu_memory_mb"] for record in records if record["peak_gpu_memory_mb"]]
    memory = [job["memory"] for job in measured if not math.isnan(job["memory"])]
    return {
        **dict(zip(COLUMNS, (rule, *names), strict=True)),
        "jobs": len(measured),
        "seconds": seconds,
        "peak_memory_mb": max(memory or [record["peak_memory_mb"] for record in records]),
        "gpu_memory_mb": max(on_gpu) if on_gpu else None,
        "images": sum(record["images"]["train"] * record["epochs"] for record in records),
        "epoch_seconds": in_epochs,
        "note": "; ".join([*notes, *([] if on_gpu else [ON_CPU])]),
    }


def other_costs(benchmarks: Path, jobs: Iterable[Sequence[str]]) -> list[dict]:
    """Add up the benchmark files of jobs that train nothing, by rule and data set.

    Returns:
        Dicts as :func:`training_cost` has them, in order of the rules' and data sets' names.
    """
    found: dict[tuple[str, str], list[dict]] = {}
    for rule, dataset, place in sorted(jobs):
        job = read_benchmark(benchmarks / rule / f"{place}.tsv")
        if job:
            found.setdefault((rule, dataset), []).append(job)
    rows = []
    for (rule, dataset), jobs in found.items():
        memory = [job["memory"] for job in jobs if not math.isnan(job["memory"])]
        note = NO_TRAINING if memory else f"{NO_TRAINING}; too short for its memory to be measured"
        rows.append(
            {
                **dict(zip(COLUMNS, (rule, dataset, "", ""), strict=True)),
                "jobs": len(jobs),
                "seconds": sum(job["seconds"] for job in jobs),
                "peak_memory_mb": max(memory) if memory else None,
                "gpu_memory_mb": None,
                "images": 0,
                "epoch_seconds": 0.0,
                "note": note,
            }
        )
    return rows


def cost_table(rows: Sequence[dict], titles: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Lay out the costs, followed by the sums of rules and models of several rows and the total.

    Args:
        rows: As :func:`training_cost` and :func:`other_costs` return them.
        titles: Titles by name, under dataset, protocol and model.

    Returns:
        job, dataset, protocol, model (each but the first with its title), jobs, seconds,
        device_hours, peak_memory_mb, gpu_memory_mb, images_per_second and note.
    """
    sums = []
    for column in ("job", "model"):
        for name in dict.fromkeys(row[column] for row in rows if row[column]):
            members = [row for row in rows if row[column] == name]
            if len(members) > 1:
                sums.append(_sum(members, **{column: name}))
    table = pd.DataFrame([*rows, *sums, _sum(rows)])
    speed = table["images"] / table["epoch_seconds"].where(table["epoch_seconds"] > 0)
    shown = {
        "jobs": table["jobs"],
        "seconds": table["seconds"].round(1),
        "device_hours": (table["seconds"] / 3600).round(4),
        "peak_memory_mb": pd.to_numeric(table["peak_memory_mb"]).round(),
        "gpu_memory_mb": pd.to_numeric(table["gpu_memory_mb"]).round(),
        "images_per_second": speed.round(1),
        "note": table["note"],
    }
    named = {"job": table["job"]}
    for column in COLUMNS[1:]:
        named[column] = table[column]
        names = titles[column]
        named[f"{column}_title"] = [names.get(name, name) for name in table[column]]
    return pd.DataFrame({**named, **shown})


def read_benchmark(path: str | os.PathLike) -> dict[str, float] | None:
    """Read one of Snakemake's benchmark files.

    Returns:
        seconds, and memory in MB (the largest resident set, NaN for a job too short for it); None
        without a file that can be read.
    """
    try:
        table = read_table(path, ("s", "max_rss"))
        seconds = pd.to_numeric(table["s"])
        memory = pd.to_numeric(table["max_rss"], errors="coerce")
    except (OSError, InputError, ValueError):
        return None
    if seconds.empty or seconds.isna().any():
        return None
    return {"seconds": float(seconds.sum()), "memory": float(memory.max())}


def _benchmarks_of(
    rule: str, names: tuple[str, str, str], records: Sequence[dict], benchmarks: Path
) -> list[Path]:
    """Return the benchmark files of the jobs that trained a model."""
    if rule in OF_ALL_FOLDS:
        return [benchmarks.joinpath(rule, *names).with_suffix(".tsv")]
    folder = benchmarks.joinpath(rule, *names)
    return [folder / f"fold-{record['fold']}.tsv" for record in records]


def _recorded_jobs(rule: str, records: Sequence[dict]) -> list[dict[str, float]]:
    """Return seconds and memory of the jobs that trained a model, from their own records."""
    jobs = [
        {"seconds": record["seconds"], "memory": record["peak_memory_mb"]} for record in records
    ]
    if rule not in OF_ALL_FOLDS:
        return jobs
    seconds = sum(job["seconds"] for job in jobs)
    return [{"seconds": seconds, "memory": max(job["memory"] for job in jobs)}]


def _sum(rows: Sequence[dict], **names: str) -> dict:
    def largest(column: str) -> float | None:
        return max((row[column] for row in rows if row[column] is not None), default=None)

    total = {
        **dict.fromkeys(COLUMNS, ALL),
        **names,
        **{key: sum(row[key] for row in rows) for key in ("jobs", "seconds", "images")},
        "epoch_seconds": sum(row["epoch_seconds"] for row in rows),
        "peak_memory_mb": largest("peak_memory_mb"),
        "gpu_memory_mb": largest("gpu_memory_mb"),
    }
    notes = [] if total["images"] else [NO_TRAINING]
    if total["images"] and total["gpu_memory_mb"] is None:
        notes.append(ON_CPU)
    if total["peak_memory_mb"] is None:
        notes.append("too short for its memory to be measured")
    return {**total, "note": "; ".join(notes)}
