"""The publication pack from stored predictions, on a machine without TensorFlow and models."""

import json

import numpy as np
import pandas as pd
import pytest
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells

from blastfold.core.files import digest_file, digest_names
from blastfold.core.predictions import write_predictions

BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
"""
HOSTILE = "Zellen_1: 50 % & größe #2 {x}"
PROBABILITIES = ("probability_normal", "probability_blast")
MODEL = "results/training/cells/subject_folds/simple_cnn"


def experiment():
    config = small_experiment(title=HOSTILE)
    config["datasets"]["cells"]["title"] = HOSTILE
    del config["protocols"]["holdout"]
    config["experiments"][0]["protocols"] = ["subject_folds"]
    return config


def store_training(folder, fold):
    """Write the files of a training, except the model."""
    place = folder / MODEL / f"fold-{fold}"
    place.mkdir(parents=True)
    folds = pd.read_csv(folder / "results/folds/cells/subject_folds.tsv", sep="\t")
    manifest = pd.read_csv(folder / "results/datasets/cells/manifest.tsv", sep="\t")
    tested = folds[(folds["fold"] == fold) & (folds["role"] != "train")]
    tested = tested.merge(manifest[["image_id", "label"]], on="image_id")
    noise = np.random.default_rng(fold).uniform(0, 0.6, len(tested))
    tested["probability_blast"] = 0.4 * tested["label"] + noise
    tested["probability_normal"] = 1 - tested["probability_blast"]
    write_predictions(
        tested[["image_id", "repeat", "fold", "role", "label", *PROBABILITIES]],
        place / "predictions.tsv",
    )
    values = dict.fromkeys(["loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"], 0.5)
    history = pd.DataFrame([{"repeat": 0, "fold": fold, "epoch": 1, **values, "seconds": 1.0}])
    history.to_csv(place / "history.tsv", sep="\t", index=False)
    layers = pd.DataFrame(
        [
            ("image", "InputLayer", "20x20x3", 0, 0, "image"),
            ("convolution_1", "Conv2D", "18x18x32", 896, 1, "convolution_1"),
            ("flatten", "Flatten", "10368", 0, 0, "flatten"),
            ("classifier", "Dense", "1", 10369, 1, "classifier"),
        ],
        columns=["name", "kind", "output_shape", "parameters", "trainable", "block"],
    )
    layers.to_csv(place / "layers.tsv", sep="\t", index=False)
    summary = json.loads((folder / "results/datasets/cells/dataset.json").read_text("utf-8"))
    record = {
        "job": "train_model",
        "fold": fold,
        "settings": {
            "architecture": "simple_cnn",
            "augmentation": {"flip_up_down": True, "brightness": 0.1},
            "batch_size": 16,
            "class_weights": True,
            "early_stopping": None,
            "epochs": 1,
            "learning_rate": 0.001,
            "preprocessing": "mean_image",
            "train": "all",
        },
        "device": "CPU",
        "seed": 11 + fold,
        "seconds": 2.5,
        "peak_memory_mb": 900.0,
        "peak_gpu_memory_mb": None,
        "digests": {"images": summary["images_sha256"], "weights": None},
        "images": folds[folds["fold"] == fold]["role"].value_counts().to_dict(),
        "trained_on": digest_names(folds.query("fold == @fold and role == 'train'")["image_id"]),
        "parameters": 11265,
        "trainable_parameters": 11265,
        "versions": {"python": "3.11.7", "keras": "3.15.0"},
        "epochs": 1,
        "epoch_seconds": 1.0,
        "predictions_sha256": digest_file(place / "predictions.tsv"),
    }
    (place / "run.json").write_text(json.dumps(record), "utf-8")


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A folder with the records of an experiment and no model, and jobs without TensorFlow."""
    folder = tmp_path_factory.mktemp("publication")
    write_cells(folder / "resources" / "raw" / "cells", subjects=4, each=4)
    means = "results/mean_images/cells/subject_folds.npy"
    prepared = snakemake(folder, "datasets", "folds", means, config=experiment())
    assert prepared.returncode == 0, prepared.stdout
    for fold in (0, 1):
        store_training(folder, fold)
    (folder / "blocked").mkdir()
    (folder / "blocked" / "sitecustomize.py").write_text(BLOCKER)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "blocked"))
        yield folder


def test_pack_is_made_from_stored_predictions_without_tensorflow(stored):
    samples = "results/datasets/cells/augmented_samples.npz"
    without = snakemake(stored, samples, config=experiment())
    # This rule needs Keras: the jobs of this folder have none.
    assert without.returncode != 0
    assert "is blocked" in without.stdout
    images = np.load(stored / "results/datasets/cells/images.npy")[:2]
    np.savez(
        stored / samples,
        original=images,
        augmented=images[:, None],
        operations=np.array(["all"]),
        image_ids=np.array(["a", "b"]),
    )
    run = snakemake(stored, "publication", config=experiment())
    assert run.returncode == 0, run.stdout
    assert "rule train_model" not in run.stdout
    assert list(stored.glob("results/training/**/*.keras")) == []
    check_pack(stored / "results" / "publication")
    again = snakemake(stored, "publication", "--dry-run", config=experiment())
    assert "Nothing to be done" in again.stdout


def check_pack(pack):
    names = {path.name for path in pack.iterdir()}
    checklists = {
        f"checklist_{name}.{end}" for name in ("claim", "tripod_ai") for end in ("md", "tsv")
    }
    assert names == checklists | {
        *("methods.md", "methods.tex", "provenance.json", "main.tex", "tables", "figures")
    }
    text = (pack / "methods.md").read_text("utf-8")
    assert "comprised 32 images (16 normal and 16 blast) of 8 subjects" in text
    assert "2 trainings on a CPU" in text
    assert r"Zellen\_1: 50 \% \& größe \#2 \{x\}" in (pack / "methods.tex").read_text("utf-8")
    assert (pack / "figures" / "cells-subject_folds-roc.pdf").is_file()
    assert (pack / "tables" / "cells-subject_folds-simple_cnn.tex").is_file()
    document = (pack / "main.tex").read_text("utf-8")
    # Snakemake keeps a hidden time stamp in both folders.
    files = [path for kind in ("tables", "figures") for path in (pack / kind).glob("[!.]*")]
    assert len(files) > 15
    assert all(f"{{{path.parent.name}/{path.name}}}" in document for path in files)
    provenance = json.loads((pack / "provenance.json").read_text("utf-8"))
    assert [run["seed"] for run in provenance["runs"]] == [11, 12]
    assert provenance["missing"] == []


def test_pack_is_part_of_the_whole_experiment(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=experiment()))
    assert jobs["assemble_publication"] == 1
    assert jobs["write_publication"] == 1
