"""State of an unfinished training: a killed job continues where it stopped.

A state is outside the declared outputs, which Snakemake deletes when a job fails. Its folder is
named after a digest of everything that determines the result. A job with other settings, data or
code has another digest and never reads it.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import digest_settings, written_whole
from blastfold.core.settings import JOB_KEYS, JobSettings
from blastfold.training.device_setup import Setup
from blastfold.training.fold import Fold
from blastfold.training.run_record import versions

logger = logging.getLogger(__name__)

FILE_NAME = "state.npz"


class InterruptedTrainingError(BlastfoldError):
    """A signal stopped the job; its state is saved and the next attempt continues from it."""


class TrainingProgress(NamedTuple):
    """How far a training is, except for its variables.

    Attributes:
        history: One dict per complete epoch.
        best_loss: Smallest validation loss so far; None before the first.
        best_epoch: Its epoch; 0 before the first.
        batches: Batches of the next epoch that are done.
        sums: Sums of the loss and of the cells of the confusion matrix over them.
    """

    history: list[dict]
    best_loss: float | None
    best_epoch: int
    batches: int
    sums: dict[str, float]


class StoredState(NamedTuple):
    """Stored state of a training.

    Attributes:
        progress: How far the training was.
        variables: Values of all variables that training changes.
        best_weights: Weights of the best epoch, where early stopping keeps them.
    """

    progress: TrainingProgress
    variables: list[np.ndarray]
    best_weights: list[np.ndarray] | None

    def assign_to(self, model: keras.Model) -> bool:
        """Assign the stored variables to a model that is built and compiled in the same way.

        Returns:
            Whether they fit; a model that they do not fit stays unchanged.
        """
        variables = _variables(model)
        if [tuple(variable.shape) for variable in variables] != [
            value.shape for value in self.variables
        ]:
            logger.warning("the stored state belongs to another network and is not used")
            return False
        for variable, value in zip(variables, self.variables, strict=True):
            variable.assign(value)
        return True


class TrainingState:
    """The stored state of one training.

    Args:
        folder: Folder of this training's state alone, named after a digest.
    """

    def __init__(self, folder: str | os.PathLike):
        self.path = Path(folder) / FILE_NAME

    def save(
        self,
        model: keras.Model,
        progress: TrainingProgress,
        best_weights: list[np.ndarray] | None = None,
    ) -> bool:
        """Replace the stored state; a reader sees the whole old or the whole new one.

        Args:
            model: The compiled model that is trained.
            progress: How far the training is.
            best_weights: Weights of the best epoch, where early stopping keeps them.

        Returns:
            Whether it was stored. When the disk is full the training continues without a state and
            a warning is logged.
        """
        arrays = {
            f"variable_{place}": np.asarray(variable)
            for place, variable in enumerate(_variables(model))
        }
        arrays |= {f"best_{place}": array for place, array in enumerate(best_weights or [])}
        text = json.dumps(progress._asdict())
        try:
            with written_whole(self.path) as partial, partial.open("wb") as file:
                np.savez(file, progress=np.array(text), **arrays)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            logger.warning("the state of this training could not be saved: %s", error)
            return False
        return True

    def read(self) -> "StoredState | None":
        """Read the stored state; None without a usable one."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path, allow_pickle=False) as stored:
                progress = TrainingProgress(**json.loads(str(stored["progress"])))
                best = _numbered(stored, "best")
                return StoredState(progress, _numbered(stored, "variable"), best or None)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            logger.warning("%s cannot be read and is not used: %s", self.path, error)
            return None

    def remove(self) -> None:
        """Remove the state of a complete training."""
        # The whole folder: a job that was killed while it saved left a partial file there.
        shutil.rmtree(self.path.parent, ignore_errors=True)
        # The parent is not empty while other trainings keep states there.
        with contextlib.suppress(OSError):
            self.path.parent.parent.rmdir()


def state_of(fold: Fold, setup: Setup, compute: JobSettings) -> TrainingState | None:
    """Return the state of a fold's training, named after everything that determines its result.

    Args:
        fold: The fold, with digests of all files and settings.
        setup: What the job computes on.
        compute: How the job computes.

    Returns:
        None when no states are kept.
    """
    if not compute.states:
        return None
    determined_by = {
        **fold.digests,
        **{key: getattr(compute, key) for key in JOB_KEYS},
        # Two protocols may have equal splits, and their trainings may run at the same time.
        "names": fold.run.names,
        "fold_seed": fold.seed,
        "precision": setup.precision,
        "jit_compile": setup.jit_compile,
        "code": compute.code,
        "versions": versions(),
    }
    return TrainingState(Path(compute.states) / digest_settings(determined_by))


def _variables(model: keras.Model) -> list[keras.Variable]:
    """Return all variables that training changes: of weights, statistics, seeds, the optimiser."""
    model.optimizer.build(model.trainable_variables)
    return [*model.variables, *model.optimizer.variables]


def _numbered(stored: np.lib.npyio.NpzFile, name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}_") for key in stored.files)
    return [stored[f"{name}_{place}"] for place in range(count)]


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turn SIGTERM and SIGINT into a request to stop between two batches.

    SLURM sends SIGTERM before a time limit, a preemption or ``scancel``; Snakemake and the terminal
    send SIGINT.

    Yields:
        A function that returns whether one was received.
    """
    received: list[int] = []

    def note(number, frame):
        received.append(number)

    wanted = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
