"""Training of one model on the images of one fold, from files to files."""

import logging
import time

import numpy as np

from blastfold.core.files import write_json, written_whole
from blastfold.core.names import TRAIN
from blastfold.core.settings import JobSettings, ModelSettings, Run
from blastfold.training.batches import ImageInputs
from blastfold.training.device import free_gpu_memory, is_gpu
from blastfold.training.device_setup import set_up
from blastfold.training.files import FoldFiles, FoldOutputs
from blastfold.training.fold import fold_seed, read_fold
from blastfold.training.memory import within_memory
from blastfold.training.outcome import describe_run, train_fold, write_outcomes
from blastfold.training.start import image_seed, start_network
from blastfold.training.state import state_of, stop_requests
from blastfold.training.trainer import Trainer, image_trainer

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
    setup = set_up(compute, fold_seed(compute.seed, run, number))
    fold = read_fold(files, number, settings, run, compute.seed)
    logger.info("%s: %s, %s", fold.name, setup.device, fold.count_images())
    state = state_of(fold, setup, compute)
    seed = image_seed(compute.seed, run.image_source, number, settings, files.weights)
    source = ImageInputs(np.load(files.images, mmap_mode="r"), settings.augmentation, seed)
    if is_gpu(setup.device):
        source.keep_on_device(free_gpu_memory())

    def build(pieces: int) -> Trainer:
        network, preparation = start_network(settings, files, compute.seed, number, fold.seed)
        return image_trainer(
            *(network, preparation, source, settings, fold.seed),
            report=lambda line: logger.info("%s: %s", fold.name, line),
            stop=stop,
            jit_compile=setup.jit_compile,
            pieces=pieces,
        )

    with stop_requests() as stop:
        trainer, outcome = within_memory(
            build,
            lambda trainer: train_fold(trainer, fold, state),
            settings.when_out_of_memory,
            min(settings.batch_size, len(fold.parts[TRAIN].rows)),
        )
    write_outcomes([outcome], outputs)
    with written_whole(outputs.model) as partial:
        trainer.predicting.save(partial)
    seconds = time.monotonic() - start
    described = (settings, compute, setup, seconds, outputs.predictions)
    write_json(describe_run("train_model", outcome, *described), outputs.run)
    if state:
        state.remove()
