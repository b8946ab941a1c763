"""One training job: from the files of a data set and a fold to a model and its predictions."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blastfold.core.errors import OutOfMemoryError
from blastfold.core.files import (
    digest_file,
    digest_names,
    digest_settings,
    write_json,
    written_whole,
)
from blastfold.core.fold_table import Part, read_parts, split_digest
from blastfold.core.seeds import derive_seed
from blastfold.networks import architectures
from blastfold.networks.preprocessing import Preparation, read_preparation
from blastfold.training import epochs
from blastfold.training.batches import ImageInputs
from blastfold.training.device import free_gpu_memory, is_gpu, is_out_of_memory
from blastfold.training.device_setup import Setup, set_up
from blastfold.training.features import augmentation_seed, backbone_seed
from blastfold.training.run_record import describe_process, versions
from blastfold.training.state import TrainingState, stop_requests
from blastfold.training.trainer import Trainer, image_trainer

logger = logging.getLogger(__name__)


def train_model(
    inputs: dict[str, str | None], fold: int, settings: dict, run: dict, outputs: dict[str, str]
) -> None:
    """Train one model on the images of one fold and write all that is to be known about it.

    Args:
        inputs: Paths by name: images (image store, uint8 (n, h, w, 3)), manifest, dataset (JSON
            summary with the digests of both), folds (image_id, fold, role), mean_image (float32
            (h, w, 3)), stain (record of the stain normalisation) and weights (the backbone's start
            weights); None for none of the last three.
        fold: Number of the fold.
        settings: The model entry of the config.
        run: seed, names (of data set, protocol and model), drawn_for (the data set whose name
            seeds the changes of images), device, deterministic, threads, gpu, states (folder of
            the states of unfinished trainings; None keeps none) and code (digest of the code that
            trains), precision and xla (of the config).
        outputs: Paths by name: model, history, predictions, layers, run.

    Raises:
        InputError: When the start weights do not fit or the images are too small.
        MissingDeviceError: When a GPU is demanded and there is none.
        OutOfMemoryError: When the device has no memory for a batch.
        InterruptedTrainingError: When SIGTERM or SIGINT asks the job to stop; its state is saved.
    """
    start = time.monotonic()
    seed = fold_seed(run, fold)
    setup = set_up(run, seed)
    store = np.load(inputs["images"], mmap_mode="r")
    manifest = read_manifest(inputs["manifest"])
    parts = read_parts(manifest, inputs["folds"], fold)
    place = "/".join([*run["names"], f"fold-{fold}"])
    logger.info("%s: %s, %s", place, setup.device, count_images(parts))
    digests = fold_digests(inputs, fold, settings)
    state = fold_state(digests, seed, setup, run)
    drawn = augmentation_seed(run["seed"], run["drawn_for"])
    source = ImageInputs(store, settings["augmentation"], drawn)
    if is_gpu(setup.device):
        source.keep_on_device(free_gpu_memory())

    def build(pieces: int) -> Trainer:
        network, preparation = start_network(settings, store.shape[1:], inputs, run, fold)
        return image_trainer(
            *(network, preparation, source, settings, seed),
            report=lambda line: logger.info("%s: %s", place, line),
            stop=stop,
            jit_compile=setup.jit_compile,
            pieces=pieces,
        )

    with stop_requests() as stop:
        trainer, (history, predictions) = within_memory(
            build,
            lambda trainer: run_fold(trainer, parts, manifest, fold, state),
            settings,
            smallest_batch(parts["train"], settings),
        )
    layers = pd.DataFrame(architectures.describe_layers(trainer.network))
    write_tables(outputs, history=history, predictions=predictions, layers=layers)
    with written_whole(outputs["model"]) as partial:
        trainer.predicting.save(partial)
    described = describe_training(trainer, parts, manifest)
    described |= describe_outcome(history, outputs["predictions"])
    record = {"fold": fold, "settings": settings, **setup._asdict(), "seed": seed}
    seconds = {"seconds": round(time.monotonic() - start, 2), "digests": digests}
    write_json({**record, **seconds, **described, **describe_process()}, outputs["run"])
    if state:
        state.remove()


def fold_seed(run: dict, fold: int) -> int:
    """Return the seed of one fold's training, from its names."""
    return derive_seed(run["seed"], "train_model", *run["names"], fold)


def smallest_batch(part: Part, settings: dict) -> int:
    """Return the number of images of every batch of a part."""
    return min(settings["batch_size"], len(part.rows))


def within_memory(
    build: Callable[[int], Trainer], work: Callable, settings: dict, batch: int
) -> tuple[Trainer, Any]:
    """Work with a trainer, in smaller pieces of a batch where the device's memory does not do.

    Args:
        build: Builds the trainer for a number of pieces.
        work: What to do with it.
        settings: The model entry; ``when_out_of_memory`` is ``stop`` or ``accumulate``.
        batch: Images of a batch.

    Returns:
        The trainer and what the work gave.

    Raises:
        OutOfMemoryError: When the memory does not do and no smaller piece is allowed or left.
    """
    pieces = 1
    while True:
        trainer = build(pieces)
        try:
            return trainer, work(trainer)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            allowed = settings["when_out_of_memory"] == "accumulate"
            if not allowed or batch % (2 * pieces):
                raise OutOfMemoryError(_advice(batch // pieces, allowed)) from error
            pieces *= 2
            logger.warning(
                "the device's memory is full: %d images at once instead of %d, whose gradients are "
                "put together; statistics of batch normalisation that is trained are those of "
                "the smaller batches",
                batch // pieces,
                2 * batch // pieces,
            )
        # The network that did not fit must be gone before the next one is built.
        del trainer


def _advice(images: int, allowed: bool) -> str:
    accumulate = "" if allowed else "when_out_of_memory: accumulate, "
    return (
        f"the device's memory does not do for {images} images at once. Set {accumulate}a smaller "
        "batch_size, precision: mixed_float16 or mixed_bfloat16 on a GPU, or a smaller image_size"
    )


def read_manifest(path: str) -> pd.DataFrame:
    """Read a manifest with all columns as text."""
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def start_network(
    settings: dict, shape: tuple, inputs: dict, run: dict, fold: int
) -> tuple[architectures.Network, Preparation]:
    """Build the network of a fold with its start weights, and what comes before it."""
    network = architectures.build_network(
        settings,
        shape,
        backbone_seed(run["seed"], settings["architecture"]),
        derive_seed(fold_seed(run, fold), "head"),
    )
    if inputs["weights"]:
        architectures.load_backbone_weights(network.backbone, inputs["weights"])
    fitted = {name: inputs[name] for name in ("mean_image", "stain")}
    return network, read_preparation(settings, network.application, shape, **fitted)


def run_fold(
    trainer: Trainer,
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
    history = epochs.train(trainer, seen, state)
    return history, epochs.predictions(trainer, parts, manifest["image_id"].to_numpy(), fold)


def write_tables(outputs: dict[str, str], **tables: pd.DataFrame) -> None:
    """Write tables to the outputs of their names."""
    for name, table in tables.items():
        with written_whole(outputs[name]) as partial:
            table.to_csv(partial, sep="\t", index=False)


def fold_state(digests: dict, seed: int, setup: Setup, run: dict) -> TrainingState | None:
    """Return the place of a training's state, named after everything that determines it."""
    if not run.get("states"):
        return None
    determined_by = {
        **digests,
        "seed": seed,
        "precision": setup.precision,
        "jit_compile": setup.jit_compile,
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
    files = {name: inputs.get(name) for name in ("weights", "mean_image", "stain")}
    return {
        "images": summary["images_sha256"],
        "manifest": summary["manifest_sha256"],
        "split": split_digest(inputs["folds"], fold),
        **{name: digest_file(path) if path else None for name, path in files.items()},
        "config": digest_settings(settings),
    }


def describe_outcome(history: pd.DataFrame, predictions: str) -> dict:
    """Return what the record of a training says of its epochs and of its predictions' file."""
    return {
        "epochs": len(history),
        "epoch_seconds": round(float(history["seconds"].sum()), 3),
        "predictions_sha256": digest_file(predictions),
    }


def describe_training(trainer: Trainer, parts: dict[str, Part], manifest: pd.DataFrame) -> dict:
    """Return what the record of a training says of images and parameters."""
    identifiers = manifest["image_id"].to_numpy()
    network = trainer.network
    return {
        "images": {role: len(part.rows) for role, part in parts.items()},
        "pieces_of_a_batch": trainer.pieces,
        "trained_on": digest_names(identifiers[parts["train"].rows]),
        "parameters": network.backbone.count_params() + network.head.count_params(),
        "trainable_parameters": sum(
            int(np.prod(variable.shape)) for variable in trainer.trained.trainable_variables
        ),
    }
