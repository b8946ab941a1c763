"""A workflow that was killed in a training continues it when it is started again."""

import os
import signal
import subprocess

import pandas as pd
from support.workflow import small_experiment, snakemake, snakemake_command, write_cells

RUN = "results/training/cells/subject_folds/simple_cnn"
EPOCHS = 30


def test_killed_workflow_continues_its_training(tmp_path):
    write_cells(tmp_path / "resources/raw/cells")
    config = small_experiment()
    config["models"]["simple_cnn"] |= {"epochs": EPOCHS, "folds_in_one_job": True}
    target = f"{RUN}/predictions.tsv"
    command = snakemake_command(tmp_path, target, config=config)
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
    second = snakemake(tmp_path, target, "--rerun-incomplete", config=config)
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
