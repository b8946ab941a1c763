"""Small trainings: images, settings, files and jobs."""

import json

import numpy as np
import pandas as pd
from support.repository import SCHEMA

from blastfold.core import fold_table
from blastfold.core.settings import FeatureSettings, JobSettings, ModelSettings, Run
from blastfold.experiment.config import check_config
from blastfold.experiment.feature_sets import feature_sets
from blastfold.networks import architectures, preprocessing
from blastfold.training import batches, fold_job
from blastfold.training.files import FoldFiles, FoldOutputs, HeadOutputs, NetworkOutputs
from blastfold.training.trainer import image_trainer

SIZE = 20
CLASSES = ("normal", "blast")


NOT_AUGMENTED = {
    "flip_up_down": False,
    "flip_left_right": False,
    "transpose": False,
    "brightness": 0,
    "contrast": 0,
    "saturation": 0,
    "hue": 0,
    "crop": 0,
    "rotation": 0,
    "stain_jitter": 0,
}


def model_entry(**changes):
    """A model entry of a checked config."""
    config = {
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"model": {"architecture": "simple_cnn", "epochs": 3, **changes}},
        "experiments": [{"datasets": ["cells"], "protocols": ["holdout"], "models": ["model"]}],
    }
    return check_config(config, SCHEMA)["models"]["model"]


def model_settings(**changes):
    return ModelSettings.read(model_entry(**changes))


def feature_settings(entry):
    """The settings of the features that a model entry's head learns from."""
    [settings] = feature_sets([entry]).values()
    return FeatureSettings.read(settings)


def blobs(count=60, seed=0, size=SIZE, classes=2):
    """Blasts have a large dark nucleus, normal cells a small one, others one between them."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    rows, columns = np.mgrid[:size, :size]
    images = np.empty((count, size, size, 3), dtype=np.uint8)
    for index, label in enumerate(labels):
        radius = size * (0.2, 0.36, 0.28)[label]
        centre = size / 2 + random.uniform(-2, 2, 2)
        inside = (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 < radius**2
        image = np.where(inside[..., None], [90, 60, 140], [230, 200, 210])
        images[index] = np.clip(image + random.normal(0, 8, image.shape), 0, 255)
    return images, labels


def parts_of(labels, train=30, validation=10):
    everything = np.arange(len(labels))
    cut = {
        "train": everything[:train],
        "validation": everything[train : train + validation],
        "test": everything[train + validation :],
    }
    return {role: fold_table.Part(rows, labels[rows]) for role, rows in cut.items()}


def build_trainer(images, settings, seed=5):
    network = architectures.build_network(settings, images.shape[1:], seed, seed)
    mean_image = images.mean(axis=0).astype("float32")
    prepared = preprocessing.build_preparation(
        settings.preprocessing, network.application, mean_image, None
    )
    source = batches.ImageInputs(images, settings.augmentation, seed)
    return image_trainer(network, prepared, source, settings, seed)


def without_test(parts):
    return {role: part for role, part in parts.items() if role != "test"}


def write_job(folder, images, labels, validation=10, classes=CLASSES):
    np.save(folder / "images.npy", images)
    manifest = pd.DataFrame(
        {"image_id": [f"cell {number}" for number in range(len(labels))], "label": labels}
    ).assign(**{"class": np.array(classes)[labels]})
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    roles = np.array(["train"] * len(labels), dtype=object)
    roles[30 : 30 + validation] = "validation"
    roles[40:] = "test"
    folds = manifest[["image_id"]].assign(repeat=0, fold=0, role=roles)
    folds = folds.sample(frac=1, random_state=0)
    folds.to_csv(folder / "folds.tsv", sep="\t", index=False)
    np.save(folder / "mean.npy", images[:30].mean(axis=0, keepdims=True).astype("float32"))
    summary = {"images_sha256": "of images", "manifest_sha256": "of manifest"}
    summary["classes"] = list(classes)
    (folder / "dataset.json").write_text(json.dumps(summary))


def add_turned_fold(folder):
    """Add a second fold, which tests what the first learns from and learns from others."""
    folds = pd.read_csv(folder / "folds.tsv", sep="\t")
    turned = folds.assign(fold=1, role=folds["role"].replace({"test": "train", "train": "test"}))
    pd.concat([folds, turned]).to_csv(folder / "folds.tsv", sep="\t", index=False)
    np.save(folder / "mean.npy", np.repeat(np.load(folder / "mean.npy"), 2, axis=0))


def run_job(folder, out, settings, deterministic=True, number=0):
    outputs = outputs_in(folder / out)
    compute = job_settings(deterministic=deterministic)
    fold_job.train_model(job_files(folder), number, settings, compute, RUN, outputs)
    return outputs


def outputs_in(folder):
    """Outputs of the training of one fold."""
    return FoldOutputs(
        model=folder / "model.keras",
        history=folder / "history.tsv",
        predictions=folder / "predictions.tsv",
        layers=folder / "layers.tsv",
        run=folder / "run.json",
    )


def head_outputs_in(folder):
    """Outputs of the training of the heads of all folds."""
    return HeadOutputs(heads=folder / "heads", **_outputs_of_all_folds(folder))


def network_outputs_in(folder):
    """Outputs of the training of the networks of all folds."""
    return NetworkOutputs(networks=folder / "networks", **_outputs_of_all_folds(folder))


def _outputs_of_all_folds(folder):
    tables = {name: folder / f"{name}.tsv" for name in ("history", "predictions", "layers")}
    return {**tables, "runs": folder / "runs.json"}


def job_files(folder, **changes):
    files = {"images": "images.npy", "mean_images": "mean.npy", "dataset": "dataset.json"}
    files |= {name: f"{name}.tsv" for name in ("manifest", "folds")}
    return FoldFiles(**{name: folder / file for name, file in files.items()} | changes)


RUN = Run("cells", "holdout", "model", image_source="cells")


def job_settings(**changes):
    settings = {
        "seed": 7,
        "device": "cpu",
        "precision": "auto",
        "xla": "auto",
        "deterministic": True,
        "threads": 2,
        "feature_runtime": "tensorflow",
        "states": None,
        "code": "1",
        "gpu": 0,
    }
    return JobSettings.read(settings | changes)
