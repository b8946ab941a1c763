"""One training job: from the files of a data set and a fold to a model and its predictions."""

import json
import logging
import platform
import resource
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

import blastfold
from blastfold import device, models, training
from blastfold.files import digest_file, digest_names, digest_settings, write_json, written_whole
from blastfold.seeds import derive_seed
from blastfold.training_state import TrainingState, stop_requests

logger = logging.getLogger(__name__)


def train_model(
    images: str,
    manifest: str,
    dataset: str,
    folds: str,
    mean_image: str,
    weights: str | None,
    fold: int,
    settings: dict,
    run: dict,
    outputs: dict[str, str],
) -> None:
    """Train one model on one fold and write all that is to be known about it.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        dataset: JSON summary of the data set, which holds the digests of both.
        folds: Table of folds: image_id, fold, role.
        mean_image: Mean image of the fold's training images, float32 (h, w, 3).
        weights: File with the backbone's start weights, or None for random ones.
        fold: Number of the fold.
        settings: The model entry of the config.
        run: seed, names (of data set, protocol and model), device, deterministic, threads, gpu,
            states (folder of the states of unfinished trainings; None keeps none) and code (digest
            of the code that trains).
        outputs: Paths by name: model, history, predictions, layers, run.

    Raises:
        InputError: When the start weights do not fit or the images are too small.
        MissingDeviceError: When a GPU is demanded and there is none.
        InterruptedTrainingError: When SIGTERM or SIGINT asks the job to stop; its state is saved.
    """
    start = time.monotonic()
    seed = derive_seed(run["seed"], "train_model", *run["names"], fold)
    device_name = device.set_up_device(run["device"], run["threads"], run["gpu"])
    if run["deterministic"]:
        device.set_deterministic(seed)
    else:
        keras.utils.set_random_seed(seed)
    store = np.load(images, mmap_mode="r")
    image_ids = pd.read_csv(manifest, sep="\t", dtype=str, keep_default_na=False)
    parts = read_parts(image_ids, folds, fold)
    network = models.build_network(settings, store.shape[1:])
    if weights:
        models.load_backbone_weights(network.backbone, weights)
    preprocessing = models.build_preprocessing(settings, network, np.load(mean_image))
    place = "/".join([*run["names"], f"fold-{fold}"])
    logger.info("%s: %s, %s", place, device_name, _count(parts))
    digests = _digests(dataset, folds, fold, weights, settings)
    state = _state({**digests, "mean_image": digest_file(mean_image)}, seed, run)
    identifiers = image_ids["image_id"].to_numpy()
    with stop_requests() as stop:
        trainer = training.Trainer(
            network,
            preprocessing,
            store,
            settings,
            seed,
            report=lambda line: logger.info("%s: %s", place, line),
            stop=stop,
        )
        seen = {role: part for role, part in parts.items() if role != "test"}
        history = training.train(trainer, seen, state)
        predictions = training.predictions(trainer, parts, identifiers, fold)
    layers = pd.DataFrame(models.describe_layers(network))
    for table, name in ((history, "history"), (predictions, "predictions"), (layers, "layers")):
        with written_whole(outputs[name]) as partial:
            table.to_csv(partial, sep="\t", index=False)
    with written_whole(outputs["model"]) as partial:
        trainer.model.save(partial)
    record = {
        "fold": fold,
        "settings": settings,
        "device": device_name,
        "seed": seed,
        "seconds": round(time.monotonic() - start, 2),
        "digests": digests,
    }
    write_json({**record, **_describe(trainer, parts, identifiers)}, outputs["run"])
    if state:
        state.remove()


def _state(digests: dict, seed: int, run: dict) -> TrainingState | None:
    """Return the place of a training's state, named after everything that determines it."""
    if not run.get("states"):
        return None
    determined_by = {
        **digests,
        "seed": seed,
        "code": run["code"],
        "deterministic": run["deterministic"],
        "versions": _versions(),
    }
    return TrainingState(Path(run["states"]) / digest_settings(determined_by))


def read_parts(manifest: pd.DataFrame, folds: str, fold: int) -> dict[str, training.Part]:
    """Find the rows of the image store that a fold trains on, validates on and tests on.

    Args:
        manifest: image_id and label, one row an image of the store.
        folds: Table of folds: image_id, fold, role.
        fold: Number of the fold.

    Returns:
        ``train``, ``validation`` (absent when empty) and ``test``, rows in the store's order.
    """
    table = pd.read_csv(folds, sep="\t", dtype={"image_id": str}, keep_default_na=False)
    table = table[table["fold"] == fold]
    roles = manifest["image_id"].map(table.set_index("image_id")["role"])
    labels = manifest["label"].astype(int).to_numpy()
    found = {role: np.flatnonzero(roles == role) for role in ("train", "validation", "test")}
    return {role: training.Part(rows, labels[rows]) for role, rows in found.items() if len(rows)}


def _count(parts: dict[str, training.Part]) -> str:
    return ", ".join(f"{len(part.rows)} {role}" for role, part in parts.items()) + " images"


def _digests(
    dataset: str, folds: str, fold: int, weights: str | None, settings: dict
) -> dict[str, str | None]:
    summary = json.loads(Path(dataset).read_text("utf-8"))
    table = pd.read_csv(folds, sep="\t", dtype=str, keep_default_na=False)
    rows = table.loc[table["fold"] == str(fold), ["image_id", "role"]]
    return {
        "images": summary["images_sha256"],
        "manifest": summary["manifest_sha256"],
        "split": digest_names(rows["image_id"] + "\t" + rows["role"]),
        "weights": digest_file(weights) if weights else None,
        "config": digest_settings(settings),
    }


def _describe(
    trainer: training.Trainer, parts: dict[str, training.Part], image_ids: np.ndarray
) -> dict:
    network = trainer.model
    return {
        "images": {role: len(part.rows) for role, part in parts.items()},
        "trained_on": digest_names(image_ids[parts["train"].rows]),
        "parameters": network.count_params(),
        "trainable_parameters": sum(
            int(np.prod(variable.shape)) for variable in trainer.trained.trainable_variables
        ),
        # ru_maxrss is in kilobytes on Linux.
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "peak_gpu_memory_mb": device.peak_device_memory(),
        "versions": _versions(),
        "platform": platform.platform(),
    }


def _versions() -> dict[str, str]:
    return {
        "blastfold": blastfold.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        keras.backend.backend(): device.tf.__version__,
        "numpy": np.__version__,
    }
