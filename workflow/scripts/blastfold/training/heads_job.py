"""Training of the heads of all folds in one job, on features that were extracted beforehand."""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.files import write_json, written_whole
from blastfold.core.fold_table import read_parts
from blastfold.core.seeds import derive_seed
from blastfold.networks import architectures
from blastfold.training.batches import FeatureInputs
from blastfold.training.device_setup import set_up
from blastfold.training.features import frozen_backbone
from blastfold.training.fold_job import (
    count_images,
    describe_outcome,
    describe_training,
    fold_digests,
    fold_seed,
    fold_state,
    read_manifest,
    run_fold,
    start_network,
    write_tables,
)
from blastfold.training.run_record import describe_process
from blastfold.training.state import TrainingState, stop_requests
from blastfold.training.trainer import Trainer, head_trainer, whole_model

logger = logging.getLogger(__name__)

EXTRACTION = ("device", "precision", "runtime", "images", "seconds", "images_a_second")
"""What a training's record takes over from that of its features."""

ON_CPU = {"device": "cpu", "gpu": 0, "precision": "float32", "xla": False}


def train_heads(
    inputs: dict[str, str | None],
    features: list[str],
    records: list[str],
    settings: dict,
    run: dict,
    outputs: list[dict[str, str]],
) -> None:
    """Train the head of every fold and write all that is to be known about each.

    What is learnt and predicted is what :func:`training.fold_job.train_model` gives, which
    runs the frozen backbone in every epoch of every fold.

    Args:
        inputs: Paths by name: images (whose shape alone is read), manifest, dataset, folds and
            weights, as for :func:`blastfold.training.fold_job.train_model`.
        features: Features of each fold, float32 (views, n, ...); one file where all share it.
        records: Their records, in the same order.
        settings: The model entry of the config.
        run: seed, names, deterministic, threads, states and code, as there.
        outputs: For each fold paths by name: head (weights), history, predictions, layers, run.

    Raises:
        InterruptedTrainingError: When SIGTERM or SIGINT asks the job to stop; the states of all
            folds, finished or not, are kept for the next attempt.
    """
    job = HeadTraining(inputs, settings, run)
    with stop_requests() as stop:
        for fold, files in enumerate(outputs):
            place = 0 if len(features) == 1 else fold
            job.train_fold(fold, features[place], records[place], files, stop)
    for state in job.states:
        state.remove()


class HeadTraining:
    """What the trainings of all folds have in common: one process, one network, one tracing.

    Args:
        inputs: As for :func:`train_heads`.
        settings: The model entry of the config.
        run: As for :func:`train_heads`.
    """

    def __init__(self, inputs: dict[str, str | None], settings: dict, run: dict):
        self.inputs = inputs
        self.settings = settings
        # A head is too small for a GPU to pay.
        self.run = run = {**run, **ON_CPU}
        self.setup = set_up(run, derive_seed(run["seed"], "train_heads", *run["names"]))
        self.manifest = read_manifest(inputs["manifest"])
        shape = np.load(inputs["images"], mmap_mode="r").shape[1:]
        # The weights play no part: its features are there already.
        self.backbone, self.application = frozen_backbone(settings, shape, None, run)
        self.trainer: Trainer | None = None
        self.states: list[TrainingState] = []

    def train_fold(
        self, fold: int, features: str, record: str, files: dict[str, str], stop: Callable
    ) -> None:
        """Train, predict and write one fold."""
        start = time.monotonic()
        place = "/".join([*self.run["names"], f"fold-{fold}"])
        parts = read_parts(self.manifest, self.inputs["folds"], fold)
        logger.info("%s: %s, %s", place, self.setup.device, count_images(parts))
        trainer = self._start(fold, np.load(features, mmap_mode="r"))
        trainer.report = lambda line: logger.info("%s: %s", place, line)
        trainer.stop = stop
        extraction = json.loads(Path(record).read_text("utf-8"))
        digests = fold_digests(self.inputs, fold, self.settings)
        digests["features"] = extraction["digest"]
        state = fold_state(digests, trainer.seed, self.setup, self.run)
        self.states += [state] if state else []
        history, predictions = run_fold(trainer, parts, self.manifest, fold, state)
        layers = pd.DataFrame(architectures.describe_layers(trainer.network))
        write_tables(files, history=history, predictions=predictions, layers=layers)
        with written_whole(files["head"]) as partial:
            trainer.network.head.save_weights(partial)
        facts = {
            "fold": fold,
            "settings": self.settings,
            **self.setup._asdict(),
            "seed": trainer.seed,
            "seconds": round(time.monotonic() - start, 2),
            "digests": digests,
            "extraction": {name: extraction[name] for name in EXTRACTION},
        }
        described = describe_training(trainer, parts, self.manifest)
        described |= describe_outcome(history, files["predictions"])
        write_json({**facts, **described, **describe_process()}, files["run"])

    def _start(self, fold: int, views: np.ndarray) -> Trainer:
        """Return the trainer with the start weights, the features and the seed of a fold."""
        seed = fold_seed(self.run, fold)
        shape = self.backbone.output.shape[1:]
        head = architectures.build_head(shape, self.settings, derive_seed(seed, "head"))
        inputs = FeatureInputs(views)
        if self.trainer is None:
            network = architectures.Network(self.backbone, head, self.application)
            self.trainer = head_trainer(network, inputs, self.settings, seed)
        else:
            self.trainer.restart(head, inputs, seed)
        return self.trainer


def assemble_model(
    inputs: dict[str, str | None], fold: int, settings: dict, run: dict, output: str
) -> None:
    """Put a head and its frozen backbone together to a model that takes stored images.

    Args:
        inputs: Paths by name: images (whose shape alone is read), weights, mean_image, stain and
            head.
        fold: Number of the fold.
        settings: The model entry of the config.
        run: seed, names and threads, as for :func:`train_heads`.
        output: The ``model.keras`` to write; pre-processing is inside.
    """
    set_up({**run, **ON_CPU, "deterministic": True}, 0)
    shape = np.load(inputs["images"], mmap_mode="r").shape[1:]
    network, preparation = start_network(settings, shape, inputs, run, fold)
    network.head.load_weights(inputs["head"])
    with written_whole(output) as partial:
        whole_model(network, preparation).save(partial)
