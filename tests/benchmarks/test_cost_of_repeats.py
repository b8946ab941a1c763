"""How much longer five repeats take than one, from real images to all tables and figures.

Needs BLASTFOLD_TEST_DATA, a folder with `cnmc2019_sample` and `weights`. Of images that a fold does
not change, features are extracted once for all repeats; with the mean image of each fold every fold
has features of its own, whose cost is printed and has no goal.
"""

import os
import sys
import time
from pathlib import Path

import pytest
from support.workflow import snakemake

DATA = os.environ.get("BLASTFOLD_TEST_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="BLASTFOLD_TEST_DATA is not set")

WEIGHTS = "resources/weights/mobilenet_v2_imagenet_notop.weights.h5"


def experiment(repeats, preprocessing):
    folds = {"kind": "kfold", "folds": 3, "repeats": repeats, "group_by": "subject"}
    cells = {"format": "c-nmc-2019", "crop": [300, 300], "image_size": [96, 96]}
    head = {"architecture": "mobilenet_v2", "weights": WEIGHTS, "train": "head", "epochs": 20}
    return {
        "datasets": {"cells": cells},
        "protocols": {
            "folds": {**folds, "validation_fraction": 0.1, "validation_group_by": "image"}
        },
        "models": {"head": {**head, "preprocessing": preprocessing, "augment": False}},
        "experiments": [{"datasets": ["cells"], "protocols": ["folds"], "models": ["head"]}],
    }


def seconds(folder, config):
    """Run a whole experiment in a new folder; returns its wall time."""
    for name, source in (("raw/cells", "cnmc2019_sample"), ("weights", "weights")):
        link = folder / "resources" / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(Path(DATA, source).resolve())
    start = time.monotonic()
    run = snakemake(folder, config=config, python=sys.executable)
    assert run.returncode == 0, run.stdout
    return time.monotonic() - start


@pytest.mark.parametrize(
    ("preprocessing", "most"), [("imagenet", 1.5), ("mean_image_imagenet", None)]
)
def test_five_repeats_against_one(tmp_path, preprocessing, most):
    taken = {}
    for repeats in (1, 5):
        folder = tmp_path / str(repeats)
        folder.mkdir()
        taken[repeats] = seconds(folder, experiment(repeats, preprocessing))
    ratio = taken[5] / taken[1]
    print(f"\n{preprocessing}: {taken[1]:.0f} s, five repeats {taken[5]:.0f} s, {ratio:.2f} times")
    assert most is None or ratio < most
