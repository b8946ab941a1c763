"""Training of one model on images, from files to files: one fold, or all of them in one job."""

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from blastfold.core.files import write_json, written_whole
from blastfold.core.fold_table import read_folds
from blastfold.core.names import TRAIN
from blastfold.core.settings import JobSettings, ModelSettings, Run
from blastfold.training.batches import ImageInputs
from blastfold.training.device import free_gpu_memory, is_gpu
from blastfold.training.device_setup import seed_generators, set_up
from blastfold.training.files import FoldFiles, FoldOutputs, NetworkOutputs, network_file
from blastfold.training.fold import Fold, fold_seed, read_fold
from blastfold.training.memory import within_memory
from blastfold.training.outcome import (
    Outcome,
    describe_run,
    write_folds,
    write_outcomes,
)
from blastfold.training.start import image_seed, start_network
from blastfold.training.state import TrainingState, state_of, stop_requests
from blastfold.training.trainer import Trainer, image_trainer
from blastfold.training.tuning import T, TrainingEnd, train_tuned

logger = logging.getLogger(__name__)


def train_model(
    files: FoldFiles,
    number: int,
    settings: ModelSettings,
    compute: JobSettings,
    run: Run,
    outputs: FoldOutputs,
) -> None:
    """Train one model on the images of one fold; write the model, its predictions and its record.

    Args:
        files: What the training reads.
        number: Number of the fold.
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        outputs: What the training writes.

    Raises:
        InputError: The start weights do not fit, or the images are too small for the network.
        MissingDeviceError: A GPU is required and there is none.
        OutOfMemoryError: The device has no memory for a batch.
        InterruptedTrainingError: SIGTERM or SIGINT stopped the job; its state is saved.
    """
    start = time.monotonic()
    job = ImageTraining(files, settings, compute, run)
    with stop_requests() as stop:
        outcome = job.train(number, stop)
    write_outcomes([outcome], outputs)
    job.save_network(outputs.model)
    described = (compute, job.setup, time.monotonic() - start, outputs.predictions)
    write_json(describe_run("train_model", outcome, *described), outputs.run)
    job.remove_states()


def train_folds(
    files: FoldFiles,
    settings: ModelSettings,
    compute: JobSettings,
    run: Run,
    outputs: NetworkOutputs,
) -> None:
    """Train one model on the images of every fold, one after another; see :func:`train_model`.

    Networks and predictions are those of one job per fold. A job that was stopped keeps the states
    of all folds that it began, complete or not.

    Args:
        files: What the trainings read.
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
        outputs: What the trainings write.
    """
    job = ImageTraining(files, settings, compute, run)
    ended = []
    with stop_requests() as stop:
        for number in sorted(set(read_folds(files.folds)["fold"])):
            start = time.monotonic()
            outcome = job.train(number, stop)
            job.save_network(network_file(outputs.networks, number))
            ended.append((outcome, time.monotonic() - start))
    write_folds("train_folds", ended, compute, job.setup, outputs)
    job.remove_states()


class ImageTraining:
    """The trainings of one process: the device, and the network as it was traced.

    Args:
        files: What the trainings read.
        settings: The model.
        compute: How the job computes.
        run: Data set, protocol and model by name.
    """

    def __init__(self, files: FoldFiles, settings: ModelSettings, compute: JobSettings, run: Run):
        self.files = files
        self.settings = settings
        self.compute = compute
        self.run = run
        self.setup = set_up(compute, compute.seed)
        self.trainer: Trainer | None = None
        self.states: list[TrainingState] = []

    def train(self, number: int, stop: Callable[[], bool]) -> Outcome:
        """Train on one fold and predict its validation and test images.

        Args:
            number: Number of the fold.
            stop: Returns, between two batches, whether the job must stop.

        Raises:
            InputError: Settings are to be chosen and the fold has no validation images.
        """
        inputs = self._inputs(number)

        def train_once(settings: ModelSettings, configuration: str, end: TrainingEnd) -> T:
            run = dataclasses.replace(self.run, configuration=configuration)
            return self._train(number, inputs, stop, settings, run, end)

        return train_tuned(self.settings, train_once)

    def _train(
        self,
        number: int,
        inputs: ImageInputs,
        stop: Callable[[], bool],
        settings: ModelSettings,
        run: Run,
        end: TrainingEnd[T],
    ) -> T:
        """Train one configuration; ``end`` trains and returns its result."""
        seed_generators(self.compute, fold_seed(self.compute.seed, run, number))
        fold = read_fold(self.files, number, settings, run, self.compute.seed)
        logger.info("%s: %s, %s", fold.name, self.setup.device, fold.count_images())
        state = state_of(fold, self.setup, self.compute)
        self.states += [state] if state else []

        def build(pieces: int) -> Trainer:
            trainer = self._start(fold, settings, inputs, pieces)
            trainer.report = lambda line: logger.info("%s: %s", fold.name, line)
            trainer.stop = stop
            return trainer

        self.trainer, result = within_memory(
            build,
            lambda trainer: end(trainer, fold, state),
            settings.when_out_of_memory,
            min(settings.batch_size, len(fold.parts[TRAIN].rows)),
        )
        return result

    def save_network(self, path: str | Path) -> None:
        """Write the network that was trained last, with its pre-processing."""
        with written_whole(path) as partial:
            self.trainer.predicting.save(partial)

    def remove_states(self) -> None:
        """Remove the states of all trainings, whose results are written."""
        for state in self.states:
            state.remove()

    def _inputs(self, number: int) -> ImageInputs:
        """Return the images of a fold with their changes, on a GPU if they fit into its memory."""
        seed = image_seed(
            *(self.compute.seed, self.run.image_source, number),
            *(self.settings, self.files.weights),
        )
        images = np.load(self.files.images, mmap_mode="r")
        inputs = ImageInputs(images, self.settings.augmentation, seed)
        if is_gpu(self.setup.device):
            inputs.keep_on_device(free_gpu_memory())
        return inputs

    def _start(
        self, fold: Fold, settings: ModelSettings, inputs: ImageInputs, pieces: int
    ) -> Trainer:
        """Return a trainer at the start of a fold: the last one where it can be used again."""
        last = self.trainer
        if last and (last.pieces, last.settings) != (pieces, settings):
            self.trainer = None
        network, preparation = start_network(
            *(settings, self.files, self.compute.seed, fold.number, fold.seed),
            classes=len(fold.classes),
        )
        trainer = image_trainer(
            *(network, preparation, inputs, settings, fold.seed),
            jit_compile=self.setup.jit_compile,
            pieces=pieces,
        )
        # A stain layer holds what was fitted on its fold in constants.
        if self.trainer is None or preparation.stain:
            return trainer
        self.trainer.restart(trainer.trained, inputs, fold.seed)
        return self.trainer
