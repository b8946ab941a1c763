"""What is known of a training that has ended: tables and the record of the run."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from blastfold.core.files import digest_file, digest_names, write_json
from blastfold.core.predictions import write_predictions
from blastfold.core.settings import JOB_KEYS, JobSettings, ModelSettings
from blastfold.core.tables import write_table
from blastfold.networks import architectures
from blastfold.training import epochs
from blastfold.training.device_setup import Setup
from blastfold.training.files import AllFoldOutputs, FoldOutputs
from blastfold.training.fold import Fold
from blastfold.training.run_record import describe_process
from blastfold.training.state import TrainingState
from blastfold.training.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Result of the training of one fold.

    Attributes:
        fold: The fold.
        settings: The model, as it was trained.
        history: One row per epoch: repeat, fold, epoch, metrics of training and validation.
        predictions: See :mod:`blastfold.core.predictions`.
        layers: One row per layer of the network.
        facts: What the record says of images, network and epochs.
    """

    fold: Fold
    settings: ModelSettings
    history: pd.DataFrame
    predictions: pd.DataFrame
    layers: pd.DataFrame
    facts: dict


def train_fold(trainer: Trainer, fold: Fold, state: TrainingState | None) -> Outcome:
    """Train on a fold without its test images, then predict its validation and test images.

    Args:
        trainer: The network and its inputs.
        fold: The fold.
        state: Where the state of an unfinished training is kept; None keeps none.
    """
    history = epochs.train(trainer, fold.without_test, state)
    numbers = {"repeat": fold.repeat, "fold": fold.number}
    history = pd.concat([pd.DataFrame(numbers, index=history.index), history], axis="columns")
    layers = pd.DataFrame(architectures.describe_layers(trainer.network))
    facts = {**describe_training(trainer, fold), **describe_epochs(history, trainer)}
    predictions = epochs.predict(trainer, fold)
    return Outcome(fold, trainer.settings, history, predictions, layers, facts)


def describe_training(trainer: Trainer, fold: Fold) -> dict:
    """Return what the record of a training says of its images and parameters."""
    network = trainer.network
    return {
        "images": {role: len(part.rows) for role, part in fold.parts.items()},
        "pieces_of_a_batch": trainer.pieces,
        "trained_on": digest_names(fold.trained_on()),
        "parameters": architectures.count_parameters(network.backbone)
        + network.head.count_params(),
        "trainable_parameters": sum(
            int(np.prod(variable.shape)) for variable in trainer.trained.trainable_variables
        ),
    }


def describe_epochs(history: pd.DataFrame, trainer: Trainer) -> dict:
    """Return what the record of a training says of its epochs and stages."""
    best = epochs.best_epoch(epochs.validation_losses(history))
    kept = best if trainer.settings.early_stopping else None
    return {
        "epochs": len(history),
        "stopped_early": len(history) < trainer.settings.epochs,
        "kept_epoch": kept or len(history),
        "stages": epochs.describe_stages(history, trainer.stages),
        "epoch_seconds": round(float(history["seconds"].sum()), 3),
    }


def write_outcomes(outcomes: Iterable[Outcome], outputs: FoldOutputs | AllFoldOutputs) -> None:
    """Write history, predictions and layers of the folds of one model."""
    outcomes = list(outcomes)
    write_table(pd.concat([outcome.history for outcome in outcomes]), outputs.history)
    predictions = pd.concat([outcome.predictions for outcome in outcomes], ignore_index=True)
    write_predictions(predictions, outputs.predictions)
    # A network has the same layers in every fold.
    write_table(outcomes[0].layers, outputs.layers)


def write_folds(
    job: str,
    ended: Sequence[tuple[Outcome, float]],
    compute: JobSettings,
    setup: Setup,
    outputs: AllFoldOutputs,
) -> None:
    """Write tables and records of a job that trained all folds of a model.

    Args:
        job: Rule that trained: ``train_folds`` or ``train_heads``.
        ended: What each training gave, and its seconds.
        compute: How the job computes.
        setup: What it computed on.
        outputs: What the job writes.
    """
    write_outcomes([outcome for outcome, _ in ended], outputs)
    described = [
        describe_run(job, outcome, compute, setup, seconds, outputs.predictions)
        for outcome, seconds in ended
    ]
    write_json(described, outputs.runs)


def describe_run(
    job: str,
    outcome: Outcome,
    compute: JobSettings,
    setup: Setup,
    seconds: float,
    predictions: str,
) -> dict:
    """Return the record of the training of one fold.

    Args:
        job: Rule that trained: ``train_model``, ``train_folds`` or ``train_heads``.
        outcome: What the training gave.
        compute: How the job computes.
        setup: What it computed on.
        seconds: Seconds of the training of this fold.
        predictions: File that holds the predictions, already written.
    """
    fold = outcome.fold
    return {
        "job": job,
        "repeat": fold.repeat,
        "fold": fold.number,
        "settings": outcome.settings.plain(),
        **setup._asdict(),
        "threads": compute.threads,
        "job_settings": {key: getattr(compute, key) for key in JOB_KEYS},
        "seed": fold.seed,
        "seconds": round(seconds, 2),
        "digests": fold.digests,
        **outcome.facts,
        "predictions_sha256": digest_file(predictions),
        **describe_process(),
    }
