"""Training of one network on one fold: epochs, history, predictions of validation and test."""

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, log_loss

from blastfold.core.fold_table import Part
from blastfold.training.state import InterruptedTrainingError, Progress, TrainingState
from blastfold.training.trainer import Trainer


def train(
    trainer: Trainer, parts: dict[str, Part], state: TrainingState | None = None
) -> pd.DataFrame:
    """Train all epochs, or until the validation loss stops falling.

    Args:
        trainer: Network and data.
        parts: ``train`` and, unless empty, ``validation``. Test images are not accepted.
        state: Where the state is saved after every epoch and on a request to stop; training goes
            on from a state that is there. None saves nothing.

    Returns:
        The history: epoch, loss, accuracy, f1, val_loss, val_accuracy, val_f1 (empty without
        validation images) and seconds.

    Raises:
        InterruptedTrainingError: When the job is asked to stop.
    """
    if "test" in parts:
        raise ValueError("parts holds test images, expected train and validation alone")
    course = Course(trainer, state)
    course.resume(len(parts["train"].rows))
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
    """The epochs of one training: which are done, which was best, when to stop.

    Args:
        trainer: Network and data.
        state: Where the course is stored; None stores nothing.
    """

    def __init__(self, trainer: Trainer, state: TrainingState | None):
        self.trainer = trainer
        self.state = state
        self.epochs = trainer.settings["epochs"]
        self.patience = trainer.settings["early_stopping"]
        self.history: list[dict] = []
        self.best_loss: float | None = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def resume(self, images: int) -> None:
        """Go to where the stored state is, when there is one; ``images`` are trained on."""
        stored = self.state and self.state.read()
        if not stored:
            return
        progress = stored.progress
        # The optimiser is that of the epoch which was the last to train.
        self.trainer.enter_stage(max(len(progress.history) + (progress.batches > 0), 1), images)
        if not stored.give_to(self.trainer.trained):
            return
        self.best_weights = stored.best_weights
        self.history = progress.history
        self.best_loss, self.best_epoch = progress.best_loss, progress.best_epoch
        self.trainer.start_epoch(len(self.history) + 1, progress.batches, progress.sums)
        self.trainer.report(
            f"going on after epoch {len(self.history)}/{self.epochs}"
            + (f" and {progress.batches} batches" if progress.batches else "")
        )

    def save(self) -> None:
        """Store the course, when there is a place for it."""
        if self.state:
            begun = self.trainer.epoch > len(self.history)
            progress = Progress(
                self.history,
                self.best_loss,
                self.best_epoch,
                self.trainer.batches_done if begun else 0,
                dict(self.trainer.met()) if begun else {},
            )
            self.state.save(self.trainer.trained, progress, self.best_weights)

    def complete(self) -> bool:
        """Return whether all epochs are done or the validation loss has stopped falling."""
        done = len(self.history)
        if self.best_loss is not None and done - self.best_epoch >= self.patience:
            best = self.best_epoch
            self.trainer.report(f"stopped early: no smaller validation loss since epoch {best}")
            return True
        return done >= self.epochs

    def run_epoch(self, parts: dict[str, Part]) -> None:
        """Train and validate one epoch."""
        start = time.monotonic()
        epoch = len(self.history) + 1
        row = {"epoch": epoch, **self.trainer.train_epoch(parts["train"], epoch)}
        row.update(_validate(self.trainer, parts.get("validation")))
        row["seconds"] = time.monotonic() - start
        self.history.append(row)
        self.trainer.report(_progress(self.history, self.epochs))
        if self.patience is None or "val_loss" not in row:
            return
        if self.best_loss is None or row["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = row["val_loss"], epoch
            self.best_weights = self.trainer.trained.get_weights()


def predictions(
    trainer: Trainer, parts: dict[str, Part], image_ids: np.ndarray, fold: int
) -> pd.DataFrame:
    """Predict validation and test images.

    Returns:
        image_id, fold, role, label and probability (of blast), in the order of the data set.
    """
    return pd.concat(_predict_parts(trainer, parts, image_ids, fold), ignore_index=True)


def _predict_parts(
    trainer: Trainer, parts: dict[str, Part], image_ids: np.ndarray, fold: int
) -> Iterator[pd.DataFrame]:
    for role in ("validation", "test"):
        if role not in parts:
            continue
        yield pd.DataFrame(
            {
                "image_id": image_ids[parts[role].rows],
                "fold": fold,
                "role": role,
                "label": parts[role].labels,
                "probability": trainer.predict(parts[role]),
            }
        )


def _validate(trainer: Trainer, part: Part | None) -> dict[str, float]:
    if part is None:
        return {}
    probability = trainer.predict(part)
    called = (probability >= 0.5).astype(int)
    return {
        "val_loss": float(log_loss(part.labels, probability, labels=[0, 1])),
        "val_accuracy": float(np.mean(called == part.labels)),
        "val_f1": float(f1_score(part.labels, called, zero_division=0)),
    }


def _progress(history: list[dict], epochs: int) -> str:
    row = history[-1]
    left = np.mean([past["seconds"] for past in history]) * (epochs - row["epoch"])
    figures = ", ".join(
        f"{name} {value:.4f}" for name, value in row.items() if name not in ("epoch", "seconds")
    )
    return (
        f"epoch {row['epoch']}/{epochs}: {figures}; {row['seconds']:.1f} s, about {left:.0f} s left"
    )
