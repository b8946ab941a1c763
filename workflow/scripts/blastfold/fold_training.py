"""One training job: from the files of a data set and a fold to a model and its predictions."""

import json
import logging
import time
from pathlib import Path

import keras
import numpy as np
import pandas as pd

from blastfold import device, models, training
from blastfold.features import augmentation_seed, backbone_seed, read_mean_image
from blastfold.files import digest_file, digest_names, digest_settings, write_json, written_whole
from blastfold.fold_table import read_parts, split_digest
from blastfold.inputs import ImageInputs, Part
from blastfold.run_records import describe_process, versions
from blastfold.seeds import derive_seed
from blastfold.training_state import TrainingState, stop_requests

logger = logging.getLogger(__name__)


def train_model(
    inputs: dict[str, str | None], fold: int, settings: dict, run: dict, outputs: dict[str, str]
) -> None:
    """Train one model on the images of one fold and write all that is to be known about it.

    Args:
        inputs: Paths by name: images (image store, uint8 (n, h, w, 3)), manifest, dataset (JSON
            summary with the digests of both), folds (image_id, fold, role), mean_image (float32
            (h, w, 3)) and weights (the backbone's start weights, None for random ones).
        fold: Number of the fold.
        settings: The model entry of the config.
        run: seed, names (of data set, protocol and model), drawn_for (the data set whose name
            seeds the changes of images), device, deterministic, threads, gpu, states (folder of
            the states of unfinished trainings; None keeps none) and code (digest of the code that
            trains).
        outputs: Paths by name: model, history, predictions, layers, run.

    Raises:
        InputError: When the start weights do not fit or the images are too small.
        MissingDeviceError: When a GPU is demanded and there is none.
        InterruptedTrainingError: When SIGTERM or SIGINT asks the job to stop; its state is saved.
    """
    start = time.monotonic()
    seed = fold_seed(run, fold)
    device_name = set_up(run, seed)
    store = np.load(inputs["images"], mmap_mode="r")
    manifest = read_manifest(inputs["manifest"])
    parts = read_parts(manifest, inputs["folds"], fold)
    network, preprocessing = start_network(settings, store.shape[1:], inputs, run, fold)
    place = "/".join([*run["names"], f"fold-{fold}"])
    logger.info("%s: %s, %s", place, device_name, count_images(parts))
    digests = fold_digests(inputs, fold, settings)
    state = fold_state(digests, seed, run)
    source = ImageInputs(
        store, settings["augmentation"], augmentation_seed(run["seed"], run["drawn_for"])
    )
    with stop_requests() as stop:
        trainer = training.image_trainer(
            *(network, preprocessing, source, settings, seed),
            report=lambda line: logger.info("%s: %s", place, line),
            stop=stop,
        )
        history, predictions = run_fold(trainer, parts, manifest, fold, state)
    write_tables(outputs, history=history, predictions=predictions)
    write_tables(outputs, layers=pd.DataFrame(models.describe_layers(network)))
    with written_whole(outputs["model"]) as partial:
        trainer.predicting.save(partial)
    described = describe_training(trainer, parts, manifest)
    record = {"fold": fold, "settings": settings, "device": device_name, "seed": seed}
    seconds = {"seconds": round(time.monotonic() - start, 2), "digests": digests}
    write_json({**record, **seconds, **described, **describe_process()}, outputs["run"])
    if state:
        state.remove()


def fold_seed(run: dict, fold: int) -> int:
    """Return the seed of one fold's training, from its names."""
    return derive_seed(run["seed"], "train_model", *run["names"], fold)


def set_up(run: dict, seed: int) -> str:
    """Prepare the device and the generators; return the device's name."""
    name = device.set_up_device(run["device"], run["threads"], run["gpu"])
    if run["deterministic"]:
        device.set_deterministic(seed)
    else:
        keras.utils.set_random_seed(seed)
    return name


def read_manifest(path: str) -> pd.DataFrame:
    """Read a manifest with all columns as text."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def start_network(
    settings: dict, shape: tuple, inputs: dict, run: dict, fold: int
) -> tuple[models.Network, keras.Model]:
    """Build the network of a fold with its start weights, and what comes before it."""
    network = models.build_network(
        settings,
        shape,
        backbone_seed(run["seed"], settings["architecture"]),
        derive_seed(fold_seed(run, fold), "head"),
    )
    if inputs["weights"]:
        models.load_backbone_weights(network.backbone, inputs["weights"])
    mean_image = read_mean_image(inputs["mean_image"], settings, shape)
    return network, models.build_preprocessing(settings, network.application, mean_image)


def run_fold(
    trainer: training.Trainer,
    parts: dict[str, Part],
    manifest: pd.DataFrame,
    fold: int,
    state: TrainingState | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train on a fold without its test images, then predict them.

    Returns:
        History and predictions.
    """
    seen = {role: part for role, part in parts.items() if role != "test"}
    history = training.train(trainer, seen, state)
    return history, training.predictions(trainer, parts, manifest["image_id"].to_numpy(), fold)


def write_tables(outputs: dict[str, str], **tables: pd.DataFrame) -> None:
    """Write tables to the outputs of their names."""
    for name, table in tables.items():
        with written_whole(outputs[name]) as partial:
            table.to_csv(partial, sep="\t", index=False)


def fold_state(digests: dict, seed: int, run: dict) -> TrainingState | None:
    """Return the place of a training's state, named after everything that determines it."""
    if not run.get("states"):
        return None
    determined_by = {
        **digests,
        "seed": seed,
        "code": run["code"],
        "deterministic": run["deterministic"],
        "versions": versions(),
    }
    return TrainingState(Path(run["states"]) / digest_settings(determined_by))


def count_images(parts: dict[str, Part]) -> str:
    """Say how many images each role has."""
    return ", ".join(f"{len(part.rows)} {role}" for role, part in parts.items()) + " images"


def fold_digests(inputs: dict, fold: int, settings: dict) -> dict[str, str | None]:
    """Return digests of all files and settings that determine a fold's result."""
    summary = json.loads(Path(inputs["dataset"]).read_text("utf-8"))
    files = {name: inputs.get(name) for name in ("weights", "mean_image")}
    return {
        "images": summary["images_sha256"],
        "manifest": summary["manifest_sha256"],
        "split": split_digest(inputs["folds"], fold),
        **{name: digest_file(path) if path else None for name, path in files.items()},
        "config": digest_settings(settings),
    }


def describe_training(
    trainer: training.Trainer, parts: dict[str, Part], manifest: pd.DataFrame
) -> dict:
    """Return what the record of a training says of images and parameters."""
    identifiers = manifest["image_id"].to_numpy()
    network = trainer.network
    return {
        "images": {role: len(part.rows) for role, part in parts.items()},
        "trained_on": digest_names(identifiers[parts["train"].rows]),
        "parameters": network.backbone.count_params() + network.head.count_params(),
        "trainable_parameters": sum(
            int(np.prod(variable.shape)) for variable in trainer.trained.trainable_variables
        ),
    }
