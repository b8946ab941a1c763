"""The folders of one experiment, and the refusal to mix two experiments in one folder."""

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path

from blastfold.core.errors import InputError
from blastfold.core.files import write_json

LAYOUT = 2
"""Number of the layout of files below the results; raised when files move or change columns."""

RECORD = "experiment.json"

CLOCK_TOLERANCE = 60.0
"""Seconds by which the clocks of a file system and of this machine may differ."""

RESULTS = "results"

STAGES = (
    "attribution",
    "baselines",
    "cells",
    "costs",
    "datasets",
    "demo",
    "demo_slides",
    "evaluation",
    "export",
    "external",
    "features",
    "figures",
    "folds",
    "locked_test",
    "mean_images",
    "pretraining",
    "publication",
    "slides",
    "smears",
    "stain",
    "tables",
    "training",
    "unfinished_training",
)
"""Folders of an experiment's results; unnamed results are next to named ones."""


def experiment_folders(name: str | None) -> dict[str, str]:
    """Return the folders of an experiment: results, logs and benchmarks.

    Args:
        name: Key ``name`` of the config; None without it.
    """
    below = f"/{name}" if name else ""
    return {kind: f"{kind}{below}" for kind in (RESULTS, "logs", "benchmarks")}


def config_names(paths: Iterable[str | Path], *folders: str | Path) -> list[str]:
    """Return what config files are called in messages and in the record of an experiment.

    Args:
        paths: The config files.
        folders: A file below one of these is named by its path from there, so that the folder may
            be moved; others by their full path.
    """
    return [_relative(Path(path).resolve(), folders) for path in paths]


def check_results_folder(results: str | Path, configs: list[str]) -> None:
    """Refuse a folder that holds the results of another experiment or of an older layout.

    Args:
        results: The folder of results; it need not exist.
        configs: Config files of this run, as :func:`config_names` names them. Without any (a config
            given by another workflow) nothing can be compared.

    Raises:
        InputError: Names the folder, both configs and what to do.
    """
    path = Path(results) / RECORD
    if not path.exists():
        # Only final files are asked for: Snakemake would take old tables for finished results.
        if (summary := _older_summary(Path(results))) is not None:
            raise InputError(
                f"'{results}' holds results of an older version of Blastfold: '{summary}' has no "
                f"key classes. {_remedy(results)}"
            )
        return
    record = _read_record(path)
    if record["layout"] != LAYOUT:
        raise InputError(
            f"'{results}' holds results of another version of Blastfold: '{path}' has layout "
            f"{record['layout']}, expected {LAYOUT}. {_remedy(results)}"
        )
    if configs and record["config"] and record["config"] != configs:
        raise InputError(
            f"'{results}' holds the results of {' + '.join(record['config'])}, but the config of "
            f"this run is {' + '.join(configs)}. {_remedy(results)} If it is the same experiment "
            f"and its config file was only renamed or moved, change the key config in '{path}'."
        )


def record_experiment(results: str | Path, configs: list[str]) -> None:
    """Write the record that :func:`check_results_folder` reads, unless it is there.

    Args:
        results: The folder of results.
        configs: Config files of this run, as :func:`config_names` names them.
    """
    path = Path(results) / RECORD
    if not path.exists():
        write_json({"layout": LAYOUT, "config": configs}, path)


def settle_dates(results: str | Path, now: float | None = None) -> int:
    """Give files from the future the present date.

    They are left by a clock that was ahead. Snakemake refuses everything that is made from them,
    because it would be older than they are.

    Args:
        results: The folder of results; it need not exist.
        now: The present time in seconds; None asks the clock.

    Returns:
        Number of files and folders with a changed date.
    """
    now = time.time() if now is None else now
    changed = 0
    for folder, subfolders, files in os.walk(results):
        for name in (*subfolders, *files):
            path = Path(folder, name)
            try:
                if path.lstat().st_mtime > now + CLOCK_TOLERANCE:
                    os.utime(path, (now, now), follow_symlinks=False)
                    changed += 1
            except OSError:
                # Removed meanwhile, or another user's file: Snakemake reports what it cannot use.
                continue
    return changed


def _read_record(path: Path) -> dict:
    try:
        record = json.loads(path.read_text("utf-8"))
        return {"layout": record["layout"], "config": list(record["config"])}
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"'{path}' is no record of an experiment ({error!r}); expected the keys layout and "
            "config. Delete it if the folder holds the results of this experiment alone."
        ) from None


def _older_summary(results: Path) -> Path | None:
    """Return the summary of a data set without the names of its classes; None without one."""
    for path in sorted(results.glob("datasets/*/dataset.json")):
        if '"classes"' not in path.read_text("utf-8"):
            return path
    return None


def _remedy(results: str | Path) -> str:
    return (
        "Give the config the key name, another one for each experiment, so that its results get "
        f"a folder of their own; or run with --directory; or move or delete '{results}'."
    )


def _relative(path: Path, folders: Iterable[str | Path]) -> str:
    for folder in folders:
        if path.is_relative_to(Path(folder).resolve()):
            return path.relative_to(Path(folder).resolve()).as_posix()
    return str(path)
