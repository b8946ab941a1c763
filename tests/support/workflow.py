"""Runs of the workflow in folders of their own, as a user starts them."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import yaml
from support.repository import REPOSITORY


def snakemake(folder, *arguments, config, cores=2, python=None):
    """Run the workflow with a folder as its working directory; both outputs in one text."""
    _, _, _, *words = snakemake_command(folder, *arguments, config=config, cores=cores)
    return run_snakemake(folder, *words, python=python)


def run_snakemake(folder, *arguments, environment=None, python=None):
    """Run Snakemake with a folder as its working directory; both outputs in one text.

    ``python`` runs the scripts of rules: ``sys.executable``, or by default an interpreter that has
    their packages loaded.
    """
    with tempfile.NamedTemporaryFile(mode="r", encoding="utf-8") as output:
        request = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(folder),
            "environment": environment or dict(os.environ),
            "output": output.name,
            "python": python or loaded_python(),
        }
        server = _server()
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, output.read())


@functools.cache
def _server():
    """The process that runs Snakemake for all tests of this process."""
    program = REPOSITORY / "tests" / "support" / "snakemake_server.py"
    server = subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    @atexit.register
    def end():
        server.stdin.close()
        server.wait()

    return server


@functools.cache
def loaded_python():
    """The program that runs scripts for all tests of this process, see :mod:`python_server`."""
    folder = tempfile.mkdtemp(prefix="python")
    program = REPOSITORY / "tests" / "support" / "python_server.py"
    server = subprocess.Popen(
        [sys.executable, str(program), folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    @atexit.register
    def end():
        server.stdin.close()
        server.wait()
        shutil.rmtree(folder)

    return server.stdout.readline().strip()


def snakemake_command(folder, *arguments, config, cores=2):
    """Return the command that runs the workflow; a config given as a dict is written first."""
    if isinstance(config, dict):
        path = Path(folder) / "experiment.yaml"
        path.write_text(yaml.safe_dump(config), "utf-8")
        config = path
    # Targets come first: --resources and --configfile would take them for theirs.
    command = [sys.executable, "-m", "snakemake", *arguments, "--directory", str(folder)]
    if "--snakefile" not in arguments:
        command += ["--snakefile", str(REPOSITORY / "Snakefile")]
    return [*command, "--cores", str(cores), "--resources", "gpu=1", "--configfile", str(config)]


def planned_jobs(run):
    """Read the table of jobs that a dry run prints: number of jobs by rule."""
    lines = run.stdout.split("Job stats:")[1].split("\n\n")[0].splitlines()
    rows = [line.split() for line in lines if line.strip()]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}


def draw_cell(label, random, size=24):
    """A dark nucleus on a light ground, large for a blast."""
    image = np.full((size, size, 3), (225, 205, 215), dtype=np.uint8)
    centre = tuple(int(place) for place in random.integers(size // 2 - 2, size // 2 + 3, 2))
    cv2.circle(image, centre, size // 3 if label else size // 5, (90, 60, 140), -1)
    noise = random.integers(-15, 16, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def write_cells(folder, subjects=4, each=4, awkward="cell"):
    """Write PNG images of both classes and a sheet; returns the rows of the sheet."""
    random = np.random.default_rng(0)
    rows = []
    for label, name in enumerate(("normal", "blast")):
        for subject in range(subjects):
            for number in range(each):
                path = Path(name) / f"{awkward} {name} {subject}-{number}.png"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                pixels = draw_cell(label, random)
                (folder / path).write_bytes(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes())
                rows.append((str(path), name, f"{name} {subject}"))
    write_sheet(folder, rows)
    return rows


def write_sheet(folder, rows, columns=("path", "label", "subject")):
    lines = ["\t".join(row) for row in [columns, *rows]]
    (folder / "sheet.tsv").write_text("\n".join(lines) + "\n", "utf-8")


def small_experiment(**changes):
    """A folder of cells, two protocols, the simple CNN for one epoch; no speed is measured."""
    config = {
        "measure_speed": False,
        "datasets": {
            "cells": {"format": "folder", "sheet": "sheet.tsv", "image_size": [20, 20]},
        },
        "protocols": {
            "holdout": {"kind": "holdout", "validation_fraction": 0.1},
            "subject_folds": {"kind": "kfold", "folds": 2, "group_by": "subject"},
        },
        "models": {"simple_cnn": {"architecture": "simple_cnn", "epochs": 1}},
        "experiments": [
            {
                "datasets": ["cells"],
                "protocols": ["holdout", "subject_folds"],
                "models": ["simple_cnn"],
            }
        ],
    }
    return config | changes
