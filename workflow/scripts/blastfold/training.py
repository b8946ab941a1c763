"""Training of one network on one fold: epochs, history, predictions of validation and test."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, log_loss

from blastfold.call_counts import CALLS, CallCounts
from blastfold.inputs import (
    FeatureInputs,
    ImageInputs,
    Part,
    batches,
    class_weights,
    gather,
    prepared_ahead,
)
from blastfold.models import Network, blast_probability
from blastfold.preparation import Preparation
from blastfold.seeds import generator
from blastfold.stages import OneCycle, Stage, freeze, plan_stages, stage_of
from blastfold.training_state import InterruptedTrainingError, Progress, TrainingState

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 60.0
"""A long epoch says how far it is this often."""


class Trainer:
    """Trains a model epoch by epoch and predicts with it.

    Args:
        network: The network with its start weights.
        trained: Model from ``inputs.training`` of a batch to the network's output.
        predicting: Model from ``inputs.unchanged`` of a batch to the same output.
        inputs: What the models are fed with.
        settings: The model entry of the config.
        seed: Seed of the job, from which orders are drawn.
        report: Is called with a line on how far a long epoch is.
        stop: Is asked between batches whether the job is to stop.
        jit_compile: Whether XLA compiles the models.
        pieces: Into how many equal pieces a batch is cut, whose gradients are put together, where
            the device has no memory for it whole.
    """

    def __init__(
        self,
        network: Network,
        trained: keras.Model,
        predicting: keras.Model,
        inputs: ImageInputs | FeatureInputs,
        settings: dict,
        seed: int,
        report: Callable[[str], None] = logger.info,
        stop: Callable[[], bool] = lambda: False,
        jit_compile: bool = False,
        pieces: int = 1,
    ):
        self.network = network
        self.trained = trained
        self.predicting = predicting
        self.inputs = inputs
        self.settings = settings
        self.seed = seed
        self.report = report
        self.stop = stop
        self.jit_compile = predicting.jit_compile = jit_compile
        self.pieces = pieces
        self.stages = plan_stages(settings)
        self.compiled_for: tuple[Stage, int | None] | None = None
        self.fresh_optimizer: list[np.ndarray] = []
        self.epoch = 0
        self.batches_done = 0
        self.sums: Counter[str] = Counter()

    def enter_stage(self, epoch: int, images: int) -> None:
        """Compile for the layers and the learning rate of an epoch, unless it is compiled already.

        Args:
            epoch: Epoch, counted from 1.
            images: Training images an epoch, which say how long a schedule is.
        """
        stage = stage_of(self.stages, epoch)
        steps = None
        learning_rate = stage.learning_rate
        if self.settings["schedule"] == "one_cycle":
            epochs = stage.last - stage.first + 1
            steps = epochs * math.ceil(images / self.settings["batch_size"])
            learning_rate = OneCycle(learning_rate, steps)
        if (stage, steps) == self.compiled_for:
            return
        self.compiled_for = stage, steps
        freeze(self.network, stage, self.settings["batch_normalisation"] == "frozen")
        one_neuron = self.trained.outputs[0].shape[-1] == 1
        self.trained.compile(
            optimizer=keras.optimizers.Adam(
                learning_rate,
                gradient_accumulation_steps=self.pieces if self.pieces > 1 else None,
            ),
            loss="binary_crossentropy" if one_neuron else "sparse_categorical_crossentropy",
            metrics=[CallCounts()],
            jit_compile=self.jit_compile,
        )
        self.trained.optimizer.build(self.trained.trainable_variables)
        self.fresh_optimizer = [
            keras.ops.convert_to_numpy(value) for value in self.trained.optimizer.variables
        ]

    def restart(self, head: keras.Model, inputs: FeatureInputs, seed: int) -> None:
        """Begin the training of another head of the same kind, without tracing it anew.

        Args:
            head: A head with its start weights, which are copied.
            inputs: The features that it is trained on.
            seed: Seed of its job.
        """
        for own, start in zip(self.trained.variables, head.variables, strict=True):
            own.assign(start)
        if self.compiled_for:
            optimizer = self.trained.optimizer.variables
            for own, start in zip(optimizer, self.fresh_optimizer, strict=True):
                own.assign(start)
        self.inputs, self.seed = inputs, seed
        self.epoch, self.batches_done, self.sums = 0, 0, Counter()

    def train_epoch(self, part: Part, epoch: int) -> dict[str, float]:
        """Pass once over the training images in an order and with changes drawn for the epoch.

        An epoch that was interrupted, or restored from a state, goes on behind its last batch.

        Returns:
            loss, accuracy and f1 of the training images, as they were met.

        Raises:
            InterruptedTrainingError: When the job is to stop; ``batches_done`` and ``sums`` say
                how far it is.
        """
        self.enter_stage(epoch, len(part.rows))
        if epoch != self.epoch:
            self.epoch, self.batches_done, self.sums = epoch, 0, Counter()
        told = time.monotonic()
        for pieces in prepared_ahead(self._batches(part, epoch)):
            self._stop_if_asked()
            for batch, labels, weights in pieces:
                figures = self.trained.train_on_batch(
                    batch, labels, sample_weight=weights, return_dict=True
                )
                self.sums.update({name: float(figures[name]) for name in CALLS})
                self.sums["loss"] += float(figures["loss"]) * len(labels)
            self.batches_done += 1
            if time.monotonic() - told > SECONDS_BETWEEN_REPORTS:
                told = time.monotonic()
                self.report(f"epoch {epoch}: {self._images_met()} of {len(part.rows)} images")
        sums, done = self.sums, self._images_met()
        wrong = sums["false_positive"] + sums["false_negative"]
        return {
            "loss": sums["loss"] / done,
            "accuracy": 1 - wrong / done,
            "f1": 2 * sums["true_positive"] / max(2 * sums["true_positive"] + wrong, 1),
        }

    def _batches(self, part: Part, epoch: int) -> Iterator[list[tuple]]:
        """Yield the batches that are left of an epoch, as pieces: inputs, labels and weights."""
        order = generator(self.seed, "order", epoch).permutation(len(part.rows))
        weights = class_weights(part.labels, self.settings["class_weights"])
        arrays = self.inputs.training(epoch)
        left = islice(batches(order, self.settings["batch_size"]), self.batches_done, None)
        for batch in left:
            yield [
                (gather(arrays, part.rows[chosen]), part.labels[chosen], weights[chosen])
                for chosen in np.split(batch, self.pieces)
            ]

    def _images_met(self) -> int:
        return int(sum(self.sums[name] for name in CALLS))

    def _stop_if_asked(self) -> None:
        if self.stop():
            raise InterruptedTrainingError(
                "stopped by a signal; the next attempt goes on from here"
            )

    def predict(self, part: Part) -> np.ndarray:
        """Return the probability of blast, float64 (n,), of unchanged images."""
        arrays = self.inputs.unchanged()
        chosen = batches(part.rows, self.settings["batch_size"])
        outputs = []
        for batch in prepared_ahead(gather(arrays, rows) for rows in chosen):
            self._stop_if_asked()
            outputs.append(self.predicting.predict_on_batch(batch))
        return blast_probability(np.concatenate(outputs)[: len(part.rows)])


def image_trainer(
    network: Network,
    preparation: Preparation,
    inputs: ImageInputs,
    settings: dict,
    seed: int,
    **options: Any,
) -> Trainer:
    """Return a trainer of a whole network on images.

    Args:
        network: The network with its start weights.
        preparation: What happens to an image before the network sees it.
        inputs: Images and their changes.
        settings: The model entry of the config.
        seed: Seed of the job.
        **options: ``report``, ``stop``, ``jit_compile`` and ``pieces`` of the trainer.
    """
    given, changed = preparation.changed()
    if settings["train"] == "head":
        # Nothing in a frozen backbone behaves as in training, such as stochastic depth.
        output = network.head(network.backbone(changed, training=False))
    else:
        output = network.whole(changed)
    trained = keras.Model(given, output)
    return Trainer(
        network, trained, whole_model(network, preparation), inputs, settings, seed, **options
    )


def whole_model(network: Network, preparation: Preparation) -> keras.Model:
    """Return the model from stored images, uint8 (n, h, w, 3), to the network's output."""
    image, prepared = preparation.unchanged()
    return keras.Model(image, network.whole(prepared), name="model")


def head_trainer(
    network: Network, inputs: FeatureInputs, settings: dict, seed: int, **options: Any
) -> Trainer:
    """Return a trainer of a network's head on stored features (see :func:`image_trainer`).

    What is learnt is the same as through the whole network, since a frozen backbone never changes.
    """
    return Trainer(network, network.head, network.head, inputs, settings, seed, **options)


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
        self.trainer.epoch, self.trainer.batches_done = len(self.history) + 1, progress.batches
        self.trainer.sums = Counter(progress.sums)
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
                dict(self.trainer.sums) if begun else {},
            )
            self.state.save(self.trainer.trained, progress, self.best_weights)

    def complete(self) -> bool:
        """Tell whether all epochs are done or the validation loss has stopped falling."""
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
