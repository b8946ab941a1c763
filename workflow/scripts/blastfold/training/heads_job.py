"""Training of the heads of all folds in one job, on features that were extracted beforehand."""

import dataclasses
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from blastfold.core.files import written_whole
from blastfold.core.fold_table import read_folds
from blastfold.core.seeds import derive_seed
from blastfold.core.settings import JobSettings, ModelSettings, Run
from blastfold.networks import architectures
from blastfold.training.batches import FeatureInputs
from blastfold.training.device_setup import set_up
from blastfold.training.features import features_of_fold
from blastfold.training.files import FoldFiles, HeadOutputs, StartFiles, network_file
from blastfold.training.fold import Fold, fold_seed, read_fold
from blastfold.training.outcome import Outcome, write_folds
from blastfold.training.start import frozen_backbone, image_shape, start_network
from blastfold.training.state import TrainingState, state_of, stop_requests
from blastfold.training.trainer import Trainer, head_trainer, whole_model
from blastfold.training.tuning import T, TrainingEnd, train_tuned

logger = logging.getLogger(__name__)

EXTRACTION = ("device", "precision", "runtime", "threads", "images", "seconds", "images_per_second")
"""Keys that the record of a training takes from the record of its features."""


def train_heads(
    files: FoldFiles,
    features: str | Path,
    settings: ModelSettings,
    compute: JobSettings,
    run: Run,
    outputs: HeadOutputs,
) -> None:
    """Train the head of every fold; write the heads, their predictions and their records.

    The results equal those of :func:`blastfold.training.fold_job.train_model`, which runs the
    frozen backbone in every epoch of every fold.

    Args:
        files: What the training reads; of the images only the shape.
        features: Folder with the features (see :mod:`blastfold.training.features`).
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        outputs: What the training writes.

    Raises:
        InterruptedTrainingError: SIGTERM or SIGINT stopped the job. The states of all folds,
            complete or not, are kept for the next attempt.
    """
    job = HeadTraining(files, settings, compute, run, features)
    numbers = sorted(set(read_folds(files.folds)["fold"]))
    ended = []
    with stop_requests() as stop:
        for number in numbers:
            start = time.monotonic()
            outcome = job.train(number, Path(features), stop)
            job.save_head(head_file(outputs.heads, number))
            ended.append((outcome, time.monotonic() - start))
    write_folds("train_heads", ended, job.compute, job.setup, outputs)
    for state in job.states:
        state.remove()


def head_file(folder: str | Path, fold: int) -> Path:
    """Return the file with the weights of a fold's head."""
    return Path(folder) / f"fold-{fold}.weights.h5"


class HeadTraining:
    """What the trainings of all folds share: one process, one network, traced once.

    Args:
        files: What the training reads.
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        features: Folder with the features.
    """

    def __init__(
        self,
        files: FoldFiles,
        settings: ModelSettings,
        compute: JobSettings,
        run: Run,
        features: str | Path,
    ):
        self.files = files
        self.settings = settings
        self.run = run
        # A head is too small to profit from a GPU.
        self.compute = compute = compute.on_cpu()
        self.setup = set_up(compute, derive_seed(compute.seed, "train_heads", *run.names))
        # Its features are stored, so that the backbone needs no weights.
        if settings.onnx or settings.vectors:
            views, record = features_of_fold(Path(features), 0)
            self.backbone = architectures.build_stored_backbone(
                *(image_shape(files), views.shape[2:]),
                *(record["parameters"], record["multiply_adds"]),
            )
            self.application = None
        else:
            self.backbone, self.application = frozen_backbone(
                settings, image_shape(files), None, compute.seed
            )
        self.trainer: Trainer | None = None
        self.trainers: dict[str, Trainer] = {}
        self.states: list[TrainingState] = []

    def train(self, number: int, features: Path, stop: Callable[[], bool]) -> Outcome:
        """Train the head of one fold and predict with it.

        Args:
            number: Number of the fold.
            features: Folder with the features.
            stop: Returns, between two batches, whether the job must stop.

        Returns:
            The outcome, whose facts have the record of the features.
        """
        views, extraction = features_of_fold(features, number)
        inputs = FeatureInputs(views)

        def train_once(settings: ModelSettings, configuration: str, end: TrainingEnd) -> T:
            run = dataclasses.replace(self.run, configuration=configuration)
            fold = read_fold(self.files, number, settings, run, self.compute.seed)
            digests = {**fold.digests, "features": extraction["digest"]}
            return self._train(
                dataclasses.replace(fold, digests=digests), settings, inputs, stop, end
            )

        outcome = train_tuned(self.settings, train_once)
        facts = {"extraction": {name: extraction[name] for name in EXTRACTION}}
        return dataclasses.replace(outcome, facts={**outcome.facts, **facts})

    def _train(
        self,
        fold: Fold,
        settings: ModelSettings,
        inputs: FeatureInputs,
        stop: Callable[[], bool],
        end: TrainingEnd[T],
    ) -> T:
        """Train one configuration; ``end`` trains and returns its result."""
        logger.info("%s: %s, %s", fold.name, self.setup.device, fold.count_images())
        trainer = self._start(fold, settings, inputs)
        trainer.report = lambda line: logger.info("%s: %s", fold.name, line)
        trainer.stop = stop
        state = state_of(fold, self.setup, self.compute)
        self.states += [state] if state else []
        return end(trainer, fold, state)

    def save_head(self, path: Path) -> None:
        """Write the weights of the head that was trained last."""
        with written_whole(path) as partial:
            self.trainer.network.head.save_weights(partial)

    def _start(self, fold: Fold, settings: ModelSettings, inputs: FeatureInputs) -> Trainer:
        """Return the trainer with the start weights, the features and the seed of a fold."""
        shape = self.backbone.output.shape[1:]
        head = architectures.build_head(
            shape,
            settings.architecture,
            settings.dense_units,
            settings.dropout,
            derive_seed(fold.seed, "head"),
            len(fold.classes),
        )
        # Every configuration of a tuned model is traced once for all folds.
        self.trainer = self.trainers.get(settings.digest())
        if self.trainer is None:
            network = architectures.Network(self.backbone, head, self.application)
            self.trainer = head_trainer(network, inputs, settings, fold.seed)
            self.trainers[settings.digest()] = self.trainer
        else:
            self.trainer.restart(head, inputs, fold.seed)
        return self.trainer


def assemble_networks(
    files: StartFiles,
    heads: str | Path,
    runs: str | Path,
    compute: JobSettings,
    run: Run,
    networks: str | Path,
    classes: int = 2,
) -> None:
    """Combine the trained head of every fold and its frozen backbone into one network.

    Args:
        files: Images, of which only the shape is read, and what the networks start from.
        heads: Folder with the trained heads.
        runs: Records of the trainings of all folds, whose settings are read: those of a tuned model
            differ between folds.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        networks: The folder to write, see
            :class:`blastfold.training.files.NetworkOutputs`; the networks take stored images.
        classes: Number of classes.
    """
    set_up(compute.on_cpu(), 0)
    for record in json.loads(Path(runs).read_text("utf-8")):
        number, settings = record["fold"], ModelSettings.read(record["settings"])
        seed = fold_seed(compute.seed, run, number)
        network, preparation = start_network(settings, files, compute.seed, number, seed, classes)
        network.head.load_weights(head_file(heads, number))
        with written_whole(network_file(networks, number)) as partial:
            whole_model(network, preparation).save(partial)
        logger.info("network of fold %d", number)
