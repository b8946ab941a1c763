"""Prints the expected time of an experiment before it runs: ``make estimate CONFIG=...``.

A calibration of a minute or so times a few steps of each network of the config on this machine; it
is kept in results/calibration.json and made again for another machine, version or code.
"""

import argparse
import json
import logging
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pandas as pd
import yaml

from blastfold.core.console import clock_text
from blastfold.core.errors import BlastfoldError
from blastfold.core.files import digest_settings, write_json
from blastfold.core.hardware import has_gpu
from blastfold.experiment.code_digests import code_digest
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config import check_config
from blastfold.experiment.config_file import read_config_file
from blastfold.experiment.folders import experiment_folders
from blastfold.planning.cost_model import (
    Speed,
    count_images,
    disk_needs,
    estimate,
    timed_settings,
)

logger = logging.getLogger(__name__)

LIBRARY = Path(__file__).resolve().parents[1]
ROOT = LIBRARY.parents[2]
PACKAGES = ("keras", "numpy", "tensorflow", "tensorflow-cpu", "jax")

TIMED_JOB = ("precision", "xla", "deterministic")
"""Keys of the config that decide how fast a job computes."""

HEADINGS = {
    "hours": "time",
    "train_ms": "learn (ms)",
    "forward_ms": "predict (ms)",
    "start_s": "start (s)",
}
COLUMNS = (
    "learn: milliseconds per image of a training step; predict: milliseconds per image of a "
    "prediction; start: seconds of a job before its first image; trainings: all folds of all "
    "protocols."
)
"""What the printed columns mean."""

LEFT_OUT = (
    "Left out: import and audit of images, mean images, statistics, tables, figures, the start of "
    "Snakemake and of its jobs (seconds each), downloads, and waiting in a cluster's queue. Early "
    "stopping makes it less, a busy machine more. Times are those of one training after the other "
    "on this machine; a cluster with n GPUs takes about the n-th part."
)


class CalibrationError(BlastfoldError):
    """A network could not be timed on this machine."""


def measure(
    config: Mapping, device: str, threads: int, cache: str | Path
) -> dict[tuple[str, str], Speed]:
    """Time every model at every image size of a config, or take what was measured before.

    Args:
        config: A config as :func:`blastfold.experiment.config.check_config` returns it.
        device: ``gpu`` or ``cpu``.
        threads: Threads to use.
        cache: JSON file of what was measured before; added to.

    Returns:
        Speed by data set and model.

    Raises:
        CalibrationError: When a network cannot be timed; holds the end of what it printed.
    """
    cache = Path(cache)
    known = json.loads(cache.read_text("utf-8")) if cache.exists() else {}
    timed = {
        (dataset, name): what_is_timed(config, dataset, name, device, threads)
        for dataset, _, name in combinations(config)
    }
    machine = this_machine()
    keys = {pair: digest_settings({**asked, **machine}) for pair, asked in timed.items()}
    missing = {key for key in keys.values() if key not in known}
    if missing:
        logger.info(
            "%d of %d networks are timed on this machine now: seconds for a small one, minutes for "
            "a large one on a CPU. They are kept in %s.",
            len(missing),
            len(set(keys.values())),
            cache,
        )
    speeds = {}
    for (dataset, name), asked in timed.items():
        key = keys[dataset, name]
        if key not in known:
            logger.info("timing %s at %s pixels on the %s", name, asked["shape"][:2], device)
            known[key] = {**asked, **machine, "measured": time_network(asked)}
            write_json(known, cache)
        measured = known[key]["measured"]
        speeds[dataset, name] = Speed(*(measured[field] for field in Speed._fields))
    return speeds


def what_is_timed(config: Mapping, dataset: str, model: str, device: str, threads: int) -> dict:
    """Return everything of a config that the speed of a model on a data set depends on."""
    return {
        "settings": timed_settings(config["models"][model]),
        "shape": [*config["datasets"][dataset]["image_size"], 3],
        "device": device,
        "threads": threads,
        "job": {key: config[key] for key in TIMED_JOB},
    }


def this_machine() -> dict:
    """Return what a calibration holds for: machine, versions and code."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "machine": [platform.node(), platform.machine(), os.cpu_count()],
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "versions": versions,
        "code": code_digest(["planning.machine_speed"], LIBRARY),
    }


def time_network(asked: dict) -> dict:
    """Time one network in a process of its own (see :mod:`blastfold.planning.machine_speed`).

    Returns:
        What it measured, and ``start``, the seconds that it took for all but the timed steps.
    """
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "measured.json"
        process = subprocess.run(
            [sys.executable, "-m", "blastfold.planning.machine_speed", str(output)],
            input=json.dumps(asked),
            env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if process.returncode != 0:
            raise CalibrationError(
                f"{asked['settings']['architecture']} could not be timed on the "
                f"{asked['device']}:\n{process.stdout[-2000:]}"
            )
        measured = json.loads(output.read_text("utf-8"))
    return {**measured, "start": time.monotonic() - start - measured["timed"]}


def present(table: pd.DataFrame, device: str, threads: int) -> str:
    """Return the estimate as text: by data set and model, by model, and in all."""
    lines = [f"On the {device} of this machine with {threads} threads:", ""]
    shown = table.assign(
        images=[str(int(n)) if pd.notna(n) else "unknown" for n in table["images"]],
        hours=[as_time(hours) for hours in table["hours"]],
    ).rename(columns=HEADINGS)
    lines += [shown.to_string(index=False, float_format="{:.1f}".format), COLUMNS, ""]
    for model, hours in table.groupby("model", sort=False)["hours"].sum().items():
        lines.append(f"{model}: {as_time(hours)}")
    total = as_time(table["hours"].sum())
    lines.append(f"total: {total} for {table['trainings'].sum()} trainings")
    unknown = table.loc[table["hours"].isna(), "dataset"].unique()
    if len(unknown):
        lines.append(
            f"The total is without {', '.join(unknown)}, or what they are tested on: how many "
            "images there are is known after the import (snakemake datasets)."
        )
    return "\n".join([*lines, "", LEFT_OUT])


def as_time(hours: float) -> str:
    """Return a time as text."""
    return "unknown" if pd.isna(hours) else clock_text(hours * 3600)


def as_size(gigabytes: float) -> str:
    """Return a size as text: GB, or MB below 0.1 GB."""
    return f"{gigabytes:.1f} GB" if gigabytes >= 0.1 else f"{gigabytes * 1024:.0f} MB"


def present_disk(needs: Mapping[str, float], results: str | Path, config: Mapping) -> str:
    """Return the disk that the experiment needs, and what is free, as text."""
    place = Path(results)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 2**30
    parts = ", ".join(f"{name} {as_size(size)}" for name, size in needs.items())
    lines = [
        f"Disk: at most {as_size(sum(needs.values()))} under {results} ({parts}), without tables "
        f"and figures; {as_size(free)} are free."
    ]
    if sum(needs.values()) > free:
        lines.append(
            "This is not enough. keep_features: false removes features after their last head, and "
            "features: online in a model stores none."
        )
    elif not config["keep_features"]:
        lines.append("Features are removed after the last head that learns from them.")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Read the command line, calibrate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config file of the experiment")
    parser.add_argument("--device", choices=["auto", "gpu", "cpu"], help="in place of the config's")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--results", help="folder of results, in place of the config's")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    config = check_config(read_config_file(chosen.config), schema, chosen.config)
    device = chosen.device or config["device"]
    if device == "auto":
        device = "gpu" if has_gpu() else "cpu"
    expected = yaml.safe_load((ROOT / "resources" / "datasets.yaml").read_text("utf-8"))
    results = chosen.results or experiment_folders(config.get("name"))["results"]
    counts = count_images(config, expected, results)
    # Every experiment has the same machine.
    cache = Path(chosen.results or "results") / "calibration.json"
    speeds = measure(config, device, chosen.threads, cache)
    print(present(pd.DataFrame(estimate(config, counts, speeds)), device, chosen.threads))
    print("\n" + present_disk(disk_needs(config, counts, speeds), results, config))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except BlastfoldError as error:
        sys.exit(str(error))
