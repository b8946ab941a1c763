"""The default experiment's exported network, alone in a new environment: `make test-faults`."""

import csv
import os
import re
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from support.faults import choose
from support.repository import REPOSITORY
from support.workflow import snakemake

PACKAGES = ("numpy", "onnxruntime", "opencv-python-headless")
[EXPORTED] = yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))["exports"]
RUN = "{dataset}/{protocol}/{model}".format(**EXPORTED)
EXPORT = f"results/export/{RUN}/fold-{EXPORTED['fold']}"
PREDICTIONS = f"results/evaluation/{RUN}/predictions.tsv"
STORED = f"results/datasets/{EXPORTED['dataset']}"


def locked():
    """The packages in the versions of the lock."""
    text = (REPOSITORY / "requirements.lock").read_text("utf-8")
    versions = dict(re.findall(r"^([a-z-]+)==([\w.]+)", text, re.MULTILINE))
    return [f"{name}=={versions[name]}" for name in PACKAGES]


def new_environment(folder):
    """Make an environment that has these packages and nothing of this repository."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run([*command, *locked()], capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"the packages cannot be installed here: {run.stderr[-300:]}")
    return python


@pytest.mark.skipif(
    not choose(short=False, long=True, full=True),
    reason="trains a network of the default experiment and installs packages: make test-faults",
)
def test_the_default_export_gives_the_stored_predictions_in_a_new_environment(tmp_path):
    targets = [f"{EXPORT}/model_card.md", PREDICTIONS]
    run = snakemake(tmp_path, *targets, config=REPOSITORY / "config.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    manifest = pd.read_csv(tmp_path / STORED / "manifest.tsv", sep="\t")
    store = np.load(tmp_path / STORED / "images.npy", mmap_mode="r")
    cells = tmp_path / "cells"
    cells.mkdir()
    for row, image in enumerate(store):
        cv2.imwrite(str(cells / f"{row}.png"), image[..., ::-1])
    python = new_environment(tmp_path / "environment")
    found = subprocess.run(
        [str(python), "-I", str(tmp_path / EXPORT / "blastfold_predict.py"), str(cells)],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    rows = {row["file"]: row for row in csv.DictReader(found.stdout.splitlines())}
    assert len(rows) == len(manifest)
    stored = pd.read_csv(tmp_path / PREDICTIONS, sep="\t")
    stored = stored[(stored["fold"] == EXPORTED["fold"]) & (stored["role"] == "test")]
    places = pd.Index(manifest["image_id"]).get_indexer(stored["image_id"])
    columns = [name for name in stored if name.startswith("probability_")]
    predicted = np.array([[float(rows[f"{row}.png"][name]) for name in columns] for row in places])
    difference = np.abs(predicted - stored[columns].to_numpy()).max()
    print(f"{len(stored)} test images: largest difference of a probability {difference:.1e}")
    assert len(stored) > 50
    assert difference <= 1e-4
