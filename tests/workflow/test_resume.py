"""From photographs alone to classified cells of three classes, which are the labels of the sheet.

A killed training continues when started again.
"""

import json
import os
import signal
import subprocess

import numpy as np
import pandas as pd
import pytest
from support.smears import write_image
from support.touching_smears import draw_smear
from support.workflow import small_experiment, snakemake, snakemake_command

from blastfold.core.predictions import predicted_classes, read_predictions
from blastfold.smears.tables import read_smear_cells, read_smear_photographs

RUN = "results/training/cells/subject_folds/simple_cnn"
EPOCHS = 30
ALONE = 4
"""Leukocytes of every photograph."""

CLASSES = ["L1", "[Malignant] Pro-B", "neutrophil"]
POSITIVE = CLASSES[:2]


def write_photographs(folder, count):
    """Write photographs of as many subjects, with a sheet that gives each its label."""
    rows = ["path,label,subject"]
    for number in range(count):
        picture, _ = draw_smear(number, 4.4, (70, 93), alone=ALONE, pairs=0)
        write_image(folder / f"{number}.png", picture)
        rows.append(f"{number}.png,{CLASSES[number % 3]},P{number}")
    (folder / "sheet.csv").write_text("\n".join(rows))


def test_killed_workflow_continues_its_training(tmp_path):
    write_photographs(tmp_path / "resources/raw/cells", 6)
    config = small_experiment()
    cells = {"format": "photographs", "sheet": "sheet.csv", "positive": POSITIVE}
    config["datasets"]["cells"] |= cells
    config["models"]["simple_cnn"] |= {"epochs": EPOCHS, "folds_in_one_job": True}
    target = f"{RUN}/predictions.tsv"
    command = snakemake_command(tmp_path, target, "--verbose", config=config)
    first = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    printed = []
    for line in first.stdout:
        printed.append(line)
        if f"fold-1: epoch 5/{EPOCHS}" in line:
            break
    # As a power cut does it: nothing can clean up, and Snakemake's lock stays.
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    states = list((tmp_path / "results/unfinished_training").glob("*/state.npz"))
    assert len(states) == 2, "".join(printed)
    assert not (tmp_path / target).exists()
    assert snakemake(tmp_path, "--unlock", config=config).returncode == 0
    write_photographs(tmp_path / "new", 2)
    (tmp_path / "new" / "broken.jpg").write_text("no photograph")
    words = ("--rerun-incomplete", "--verbose", "--config", "smears=new", "model=simple_cnn")
    second = snakemake(tmp_path, target, "smears", *words, config=config)
    assert second.returncode == 0, second.stdout
    assert f"fold-0: continuing after epoch {EPOCHS}/{EPOCHS}" in second.stdout
    assert "fold-1: continuing after epoch" in second.stdout
    assert f"epoch 3/{EPOCHS}" not in second.stdout
    history = pd.read_csv(tmp_path / RUN / "history.tsv", sep="\t")
    assert history["fold"].tolist() == [0] * EPOCHS + [1] * EPOCHS
    assert history["epoch"].tolist() == list(range(1, EPOCHS + 1)) * 2
    networks = [path.name for path in (tmp_path / RUN / "networks").glob("*.keras")]
    assert sorted(networks) == ["fold-0.keras", "fold-1.keras"]
    assert not (tmp_path / "results/unfinished_training").exists()
    evaluated = tmp_path / RUN.replace("training", "evaluation") / "predictions.tsv"
    predictions = read_predictions(evaluated)
    assert predicted_classes(predictions) == tuple(CLASSES)
    assert (predictions["label"] == (predictions["class_label"] < 2)).all()
    # The file of the training does not name the positive classes.
    assert "positive" not in pd.read_csv(tmp_path / target, sep="\t")
    check_application(tmp_path / "results/smears/new_simple_cnn_all_folds")


def check_application(folder):
    cells = read_smear_cells(folder / "cells.tsv")
    classified = cells[cells["crop"].notna()]
    assert len(classified) == 2 * ALONE
    assert classified[["probability", "spread"]].notna().all(axis=None)
    # A network that learnt from twelve cells has no description of them.
    assert set(classified["note"]) == {"no_reference"}
    record = json.loads((folder / "record.json").read_text())
    assert (record["classes"], record["positive"]) == (CLASSES, " + ".join(POSITIVE))
    of_class = classified[[f"probability_{name}" for name in CLASSES]]
    assert of_class.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(classified)), abs=1e-6)
    called = of_class.iloc[:, :2].sum(axis=1) >= 0.5
    assert (classified["predicted"].isin(POSITIVE) == called).all()
    page = (folder / "smears.html").read_text("utf-8")
    assert f"{called.sum()} of {2 * ALONE} classified cells" in page
    assert 'positive: ["L1", "[Malignant] Pro-B"]' in page.replace("&#34;", '"')
    # The same crops as in the training: 2.5 red cells wide.
    assert record["crop"]["found_by"] == "training"
    assert record["crop"]["width"] == 18.5
    # These photographs are the first two of the training.
    assert record["photographs"]["from_training"] == ["0.png", "1.png"]
    photographs = read_smear_photographs(folder / "photographs.tsv").set_index("photograph")
    assert "not a " in photographs.loc["broken.jpg", "problem"]
    assert photographs["classified"].sum() == 2 * ALONE
    assert sorted(path.name for path in (folder / "overlays").glob("*.jpg")) == ["0.jpg", "1.jpg"]
    assert "Research software, not a diagnosis." in (folder / "smears.html").read_text()
