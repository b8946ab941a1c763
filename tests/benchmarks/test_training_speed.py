"""The whole workflow, from raw images to tables, against a plain Keras script on the same folds.

Needs BLASTFOLD_TEST_DATA, a folder with `cnmc2019_sample` and `weights`. Both train the head of
`frozen_backbone.yaml` for ten folds of ten epochs; the workflow is a real `snakemake` process with
all its audits and tables, in an empty folder, and the plain script (plain_keras.py) another process
that reads the workflow's folds and start weights. Run with `-s` to see the figures.

MobileNetV2 starts from ImageNet weights. Those of DenseNet169 are not available. Both programs
start it from one file of random weights (random_weights.py), whose batch normalisation knows every
ninth image, which neither program then trains or tests on. At a learning rate of 0.001 all
probabilities of a fold still rise and fall together between two steps of its head, and the pooled
AUC of four seeds was 0.868 to 0.879; at 0.0003, which both programs use, 0.864 to 0.870.

The plain script takes half an hour for DenseNet169: unless BLASTFOLD_BENCHMARK_FOLDS=<number> sets
the number of folds for both networks, it runs only the first fold of DenseNet169, and the time of
all folds is extrapolated from that. For a trial of the benchmark itself, in which no target is
checked: BLASTFOLD_BENCHMARK_IMAGES=<number> takes so few images, in two folds of two epochs.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sklearn.metrics import roc_auc_score
from support.workflow import snakemake

HERE = Path(__file__).parent
PLAIN_FOLDS = int(os.environ.get("BLASTFOLD_BENCHMARK_FOLDS", "0"))
IMAGES = int(os.environ.get("BLASTFOLD_BENCHMARK_IMAGES", "0"))
FOLDS, EPOCHS = (2, 2) if IMAGES else (10, 10)


def prepare(folder, test_data, architecture):
    """Put raw images and start weights into the folder; return the config."""
    sample = test_data / "cnmc2019_sample"
    images = {name: sorted(sample.glob(f"fold_1/{name}/*.png")) for name in ("all", "hem")}
    if IMAGES:
        images = {name: paths[: IMAGES // 2] for name, paths in images.items()}
    config = yaml.safe_load((HERE / "frozen_backbone.yaml").read_text("utf-8"))
    model = config["models"]["backbone"]
    model |= {"architecture": architecture, "epochs": EPOCHS}
    config["protocols"]["image_folds"]["folds"] = FOLDS
    weights = folder / model["weights"]
    weights.parent.mkdir(parents=True)
    if architecture == "MobileNetV2":
        shutil.copy(test_data / "weights/mobilenet_v2_imagenet_notop.weights.h5", weights)
    else:
        model["learning_rate"] = 0.0003
        link_images(folder / "other", {name: paths[::9] for name, paths in images.items()})
        for paths in images.values():
            del paths[::9]
        # In a process of its own, so that this one stays small and starts no TensorFlow threads.
        command = [HERE / "random_weights.py", architecture, folder / "other", weights]
        subprocess.run([sys.executable, *command], check=True)
    link_images(folder / config["datasets"]["c_nmc_2019"]["path"], images)
    return config


def link_images(folder, images):
    """Lay out images of both classes as C-NMC does."""
    for name, paths in images.items():
        (folder / "fold_1" / name).mkdir(parents=True)
        for path in paths:
            (folder / "fold_1" / name / path.name).symlink_to(path)


def run_workflow(folder, config):
    """Return the wall time from raw images to tables, and the test predictions of all folds."""
    start = time.perf_counter()
    run = snakemake(folder, "tables", config=config)
    seconds = time.perf_counter() - start
    assert run.returncode == 0, run.stdout
    trained = folder / "results/training/c_nmc_2019/image_folds/backbone"
    files = sorted(trained.rglob("predictions.tsv"))
    predictions = pd.concat(pd.read_csv(file, sep="\t") for file in files)
    return seconds, predictions[predictions["role"] == "test"]


def run_plain(folder, config, only_folds):
    """Return the wall time of the plain script, and what it measured itself."""
    model = config["models"]["backbone"]
    command = [
        sys.executable,
        HERE / "plain_keras.py",
        folder / config["datasets"]["c_nmc_2019"]["path"],
    ]
    command += ["--architecture", model["architecture"], "--weights", folder / model["weights"]]
    command += ["--folds-table", folder / "results/folds/c_nmc_2019/image_folds.tsv"]
    command += ["--only-folds", only_folds, "--epochs", EPOCHS, "--batch-size", model["batch_size"]]
    command += ["--learning-rate", model["learning_rate"]]
    start = time.perf_counter()
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    assert run.returncode == 0, run.stderr
    return seconds, json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    ("architecture", "folds", "times"),
    [("MobileNetV2", PLAIN_FOLDS or FOLDS, 6), ("DenseNet169", PLAIN_FOLDS or 1, 10)],
)
def test_the_workflow_is_faster_than_a_plain_script(
    test_data, tmp_path, architecture, folds, times
):
    config = prepare(tmp_path, test_data, architecture)
    seconds, predictions = run_workflow(tmp_path, config)
    plain_seconds, plain = run_plain(tmp_path, config, folds)
    left = plain["folds"] - plain["folds_run"]
    plain_seconds += left * plain["seconds_a_fold"]
    tested = predictions[predictions["fold"] < folds]
    auc = roc_auc_score(tested["label"], tested["probability"])
    areas = [roc_auc_score(of["label"], of["probability"]) for _, of in tested.groupby("fold")]
    mean_auc = sum(areas) / len(areas)
    extrapolated = f", extrapolated from {folds} of {plain['folds']} folds" if left else ""
    shown = f"; AUC of the folds that both ran {auc:.3f} and {plain['auc']:.3f} pooled, "
    shown += f"{mean_auc:.3f} and {plain['mean_auc']:.3f} in the mean"
    print(
        f"\n{architecture}, frozen, {plain['folds']} folds, {EPOCHS} epochs, {plain['images']} "
        f"images: from raw images to tables {seconds:.0f} s, plain Keras {plain_seconds:.0f} s"
        f"{extrapolated} ({plain['seconds_an_epoch']:.1f} s an epoch): "
        f"{plain_seconds / seconds:.1f} times faster{shown}"
    )
    assert len(tested) == plain["tested_images"]
    if IMAGES:
        pytest.skip("a trial with few images: no target is checked")
    assert plain_seconds / seconds >= times
    assert mean_auc == pytest.approx(plain["mean_auc"], abs=0.01)
    # One fold is pooled with nothing, and its AUC is that of one training of a head.
    if not left:
        assert auc == pytest.approx(plain["auc"], abs=0.01)
