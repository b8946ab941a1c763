"""A workflow that was killed in a training continues it when it is started again."""

import os
import signal
import subprocess

import pandas as pd
from support.workflow import small_experiment, snakemake, snakemake_command, write_cells

FOLD = "results/training/cells/holdout/simple_cnn/fold-0"
EPOCHS = 60


def test_killed_workflow_continues_its_training(tmp_path):
    write_cells(tmp_path / "resources/raw/cells")
    config = small_experiment()
    config["models"]["simple_cnn"]["epochs"] = EPOCHS
    target = f"{FOLD}/predictions.tsv"
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
        if f"epoch 5/{EPOCHS}" in line:
            break
    # As a power cut does it: nothing can clean up, and Snakemake's lock stays.
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert list((tmp_path / "results/unfinished_training").glob("*/state.npz")), "".join(printed)
    assert not (tmp_path / target).exists()
    assert snakemake(tmp_path, "--unlock", config=config).returncode == 0
    second = snakemake(tmp_path, target, "--rerun-incomplete", config=config)
    assert second.returncode == 0, second.stdout
    assert "continuing after epoch" in second.stdout
    assert f"epoch 3/{EPOCHS}" not in second.stdout
    history = pd.read_csv(tmp_path / FOLD / "history.tsv", sep="\t")
    assert history["epoch"].tolist() == list(range(1, EPOCHS + 1))
    assert not (tmp_path / "results/unfinished_training").exists()
