"""Training of one network on one fold: epochs, history, predictions of validation and test."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.fold_table import Part
from blastfold.core.names import TEST, THRESHOLD, TRAIN, VALIDATION
from blastfold.core.predictions import prediction_table
from blastfold.networks.unfreezing import Stage
from blastfold.training.fold import Fold
from blastfold.training.state import (
    InterruptedTrainingError,
    TrainingProgress,
    TrainingState,
)
from blastfold.training.trainer import Trainer


def train(
    trainer: Trainer, parts: dict[str, Part], state: TrainingState | None = None
) -> pd.DataFrame:
    """Train all epochs, or stop when the validation loss no longer falls.

    A staged training stops in its last stage alone, counted from its first epoch: a head that no
    longer improves must not end the training before the backbone is trained.

    Args:
        trainer: Network and data.
        parts: ``train`` and, unless empty, ``validation``. Test images are not accepted.
        state: Where the state is saved after every epoch and on a request to stop; training
            continues from a stored state. None saves nothing.

    Returns:
        The history: epoch, loss, accuracy, f1, val_loss, val_accuracy, val_f1 (empty without
        validation images) and seconds.

    Raises:
        InterruptedTrainingError: The job was asked to stop.
    """
    if TEST in parts:
        raise ValueError("parts holds test images, expected train and validation alone")
    course = Course(trainer, state)
    course.resume(len(parts[TRAIN].rows))
    try:
        while not course.complete():
            course.run_epoch(parts)
            course.save()
    except InterruptedTrainingError:
        course.save()
        raise
    if course.best_weights is not None:
        trainer.trained.set_weights(course.best_weights)
    columns = ["loss", "accuracy", "f1", "val_loss", "val_accuracy", "val_f1"]
    return pd.DataFrame(course.history).reindex(columns=["epoch", *columns, "seconds"])


class Course:
    """The epochs of one training: those done, the best one, and when to stop.

    Args:
        trainer: Network and data.
        state: Where the course is stored; None stores nothing.
    """

    def __init__(self, trainer: Trainer, state: TrainingState | None):
        self.trainer = trainer
        self.state = state
        self.epochs = trainer.settings.epochs
        self.patience = trainer.settings.early_stopping
        self.history: list[dict] = []
        self.best_loss: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def resume(self, images: int) -> None:
        """Continue from the stored state, if there is one.

        Args:
            images: Number of training images.
        """
        stored = self.state and self.state.read()
        if not stored:
            return
        progress = stored.progress
        # The state holds the optimiser of the epoch that was trained last.
        self.trainer.enter_stage(max(len(progress.history) + (progress.batches > 0), 1), images)
        if not stored.assign_to(self.trainer.trained):
            return
        self.best_weights = stored.best_weights
        self.history = progress.history
        self.best_loss, self.best_epoch = progress.best_loss, progress.best_epoch
        self.trainer.start_epoch(len(self.history) + 1, progress.batches, progress.sums)
        self.trainer.report(
            f"continuing after epoch {len(self.history)}/{self.epochs}"
            + (f" and {progress.batches} batches" if progress.batches else "")
        )

    def save(self) -> None:
        """Store the course, if states are kept."""
        if self.state:
            begun = self.trainer.epoch > len(self.history)
            progress = TrainingProgress(
                self.history,
                self.best_loss,
                self.best_epoch,
                self.trainer.batches_done if begun else 0,
                dict(self.trainer.epoch_sums()) if begun else {},
            )
            self.state.save(self.trainer.trained, progress, self.best_weights)

    def complete(self) -> bool:
        """Return whether all epochs are done or the validation loss no longer falls."""
        done = len(self.history)
        if done < self.epochs and self.best_loss is not None:
            best = best_of_last_stage(self.history, self.trainer.stages)
            if best and done - best >= self.patience:
                self.trainer.report(f"stopped early: no smaller validation loss since epoch {best}")
                return True
        return done >= self.epochs

    def run_epoch(self, parts: dict[str, Part]) -> None:
        """Train and validate one epoch."""
        start = time.monotonic()
        epoch = len(self.history) + 1
        row = {"epoch": epoch, **self.trainer.train_epoch(parts[TRAIN], epoch)}
        row.update(_validate(self.trainer, parts.get(VALIDATION)))
        row["seconds"] = time.monotonic() - start
        self.history.append(row)
        self.trainer.report(_describe(self.history, self.epochs))
        if self.patience is None or "val_loss" not in row:
            return
        if self.best_loss is None or row["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = row["val_loss"], epoch
            self.best_weights = self.trainer.trained.get_weights()


def best_of_last_stage(history: Sequence[Mapping], stages: Sequence[Stage]) -> int | None:
    """Return the epoch with the smallest validation loss of those in which a training may stop.

    Args:
        history: One mapping per epoch: epoch and val_loss.
        stages: The stages of the training.

    Returns:
        None before the first epoch of the last stage.
    """
    rows = [row for row in history if row["epoch"] >= stages[-1].first]
    return best_epoch({row["epoch"]: row["val_loss"] for row in rows})


def best_epoch(losses: Mapping[int, float]) -> int | None:
    """Return the first epoch with the smallest validation loss; None without epochs.

    A loss that is not a number is not smaller than those before it.
    """
    best = None
    for epoch, loss in losses.items():
        if best is None or loss < losses[best]:
            best = epoch
    return best


def describe_stages(history: pd.DataFrame, stages: Sequence[Stage]) -> list[dict]:
    """Return what a training did in each stage that it began.

    Args:
        history: Columns epoch and val_loss (empty without validation images).
        stages: The stages of the training.

    Returns:
        For each stage its first epoch, the number of its epochs that were trained, the share of
        the backbone that was trained, the learning rate, and the epoch with the smallest
        validation loss (None without validation images).
    """
    described = []
    for stage in stages:
        done = history[history["epoch"].between(stage.first, stage.last)]
        if len(done):
            described.append(
                {
                    "first_epoch": stage.first,
                    "epochs": len(done),
                    "backbone_share": stage.share,
                    "learning_rate": stage.learning_rate,
                    "best_epoch": best_epoch(validation_losses(done)),
                }
            )
    return described


def validation_losses(history: pd.DataFrame) -> dict[int, float]:
    """Return the validation loss by epoch; empty where there are no validation images."""
    if history["val_loss"].isna().all():
        return {}
    return dict(zip(history["epoch"].tolist(), history["val_loss"].tolist(), strict=True))


def predict(trainer: Trainer, fold: Fold) -> pd.DataFrame:
    """Predict the validation and test images of a fold.

    Returns:
        Predictions (see :mod:`blastfold.core.predictions`), first of validation images, in the
        order of the data set.
    """
    tables = [
        prediction_table(
            fold.image_ids[fold.parts[role].rows],
            fold.number,
            role,
            fold.parts[role].labels,
            trainer.predict(fold.parts[role]),
            fold.classes,
            fold.repeat,
        )
        for role in (VALIDATION, TEST)
        if role in fold.parts
    ]
    return pd.concat(tables, ignore_index=True)


def _validate(trainer: Trainer, part: Part | None) -> dict[str, float]:
    if part is None:
        return {}
    probabilities = trainer.predict(part)
    predicted = predicted_labels(probabilities)
    return {
        "val_loss": log_loss(part.labels, probabilities),
        "val_accuracy": float(np.mean(predicted == part.labels)),
        "val_f1": f1_score(part.labels, predicted, probabilities.shape[1]),
    }


def predicted_labels(probabilities: np.ndarray) -> np.ndarray:
    """Return the predicted label of each image, int64 (n,).

    Args:
        probabilities: (n, classes). Of two classes the last one is predicted at the threshold of
            all tables, of more the most probable one.
    """
    if probabilities.shape[1] == 2:
        return (probabilities[:, -1] >= THRESHOLD).astype(int)
    return probabilities.argmax(axis=1)


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean of minus the logarithm of the probability of the true class.

    A probability is kept away from 0 and 1 by the precision of its type. Written here because
    scikit-learn takes a second to start, as long as many trainings take for an epoch.

    Args:
        labels: Index of the class, shape (n,).
        probabilities: Of every class, shape (n, classes).
    """
    if probabilities.shape[1] == 2:
        # Rows of softmax neurons sum to 1 but for rounding.
        probabilities = np.column_stack([1 - probabilities[:, 1], probabilities[:, 1]])
    given = probabilities[np.arange(len(labels)), labels]
    least = np.finfo(given.dtype).eps
    return float(-np.log(np.clip(given, least, 1 - least).astype(np.float64)).mean())


def f1_score(labels: np.ndarray, predicted: np.ndarray, classes: int = 2) -> float:
    """Return the F1 score of the last of two classes, or the mean over more classes (macro F1).

    A class that is neither present nor predicted has 0.

    Args:
        labels: Index of the class, shape (n,).
        predicted: The same as predicted, shape (n,).
        classes: Number of classes.
    """
    scores = []
    for label in [1] if classes == 2 else range(classes):
        present, called = labels == label, predicted == label
        scores.append(2 * int((present & called).sum()) / max(int(present.sum() + called.sum()), 1))
    return float(np.mean(scores))


def _describe(history: list[dict], epochs: int) -> str:
    row = history[-1]
    left = np.mean([past["seconds"] for past in history]) * (epochs - row["epoch"])
    metrics = ", ".join(
        f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds")
    )
    return (
        f"epoch {row['epoch']}/{epochs}: {metrics}; {row['seconds']:.1f} s, about {left:.0f} s left"
    )
