"""Training of one network on one fold: epochs, history, predictions of validation and test."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, log_loss

from blastfold.augmentation import (
    COLUMNS,
    Augmentation,
    changes_anything,
    draw_augmentations,
    identity_draws,
)
from blastfold.call_counts import CALLS, CallCounts
from blastfold.models import Network, blast_probability
from blastfold.seeds import derive_seed, generator
from blastfold.training_state import InterruptedTrainingError, Progress, TrainingState

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 60.0
"""A long epoch says how far it is this often."""


class Part(NamedTuple):
    """Images of one role in a fold.

    Attributes:
        rows: int64 (n,) rows of the image store.
        labels: int64 (n,) 0 normal, 1 blast.
    """

    rows: np.ndarray
    labels: np.ndarray


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut an order of places into batches that all have the same size.

    The last batch is filled up from the front of the order: a smaller one would make Keras
    trace the whole network a second time, which takes minutes for DenseNet169.

    Args:
        order: int64 (n,) places, n at least 1.
        size: Images a batch; no more than n are taken.

    Yields:
        int64 (min(size, n),) places.
    """
    size = min(size, len(order))
    for start in range(0, len(order), size):
        yield np.take(order, range(start, start + size), mode="wrap")


class Trainer:
    """Trains a network epoch by epoch and predicts with it.

    Where only the head is trained, the backbone runs once over the images of each epoch and the
    head learns from its features; what is learnt is the same, since the backbone never changes.

    Args:
        network: The network with its start weights.
        preprocessing: Model from stored images to the network's input.
        images: uint8 (n, h, w, 3) image store of the whole data set.
        settings: The model entry of the config.
        seed: Seed of the job, from which all orders and changes are drawn.
        report: Is called with a line on how far a long epoch is.
        stop: Is asked between batches whether the job is to stop.
    """

    def __init__(
        self,
        network: Network,
        preprocessing: keras.Model,
        images: np.ndarray,
        settings: dict,
        seed: int,
        report: Callable[[str], None] = logger.info,
        stop: Callable[[], bool] = lambda: False,
    ):
        self.report = report
        self.stop = stop
        self.images = images
        self.settings = settings
        self.seed = seed
        self.head_only = settings["train"] == "head"
        image = keras.Input(images.shape[1:], name="image", dtype="uint8")
        draws = keras.Input((len(COLUMNS),), name="draws")
        augmented = Augmentation()([image, draws])
        whole = network.whole
        self.model = keras.Model(image, whole(preprocessing(image)), name="model")
        if self.head_only:
            self.trained = network.head
            features = network.backbone(preprocessing(augmented), training=False)
            self.extractor = keras.Model([image, draws], features, name="extractor")
        else:
            self.trained = keras.Model([image, draws], whole(preprocessing(augmented)))
        self._compile()
        self.kept_features: dict[str, np.ndarray] = {}
        self.epoch = 0
        self.batches_done = 0
        self.sums: Counter[str] = Counter()

    def _compile(self) -> None:
        one_neuron = self.trained.output.shape[-1] == 1
        self.trained.compile(
            optimizer=keras.optimizers.Adam(self.settings["learning_rate"]),
            loss="binary_crossentropy" if one_neuron else "sparse_categorical_crossentropy",
            metrics=[CallCounts()],
            # XLA was measured to be slower than oneDNN on a CPU.
            jit_compile=False,
        )

    def train_epoch(self, part: Part, epoch: int) -> dict[str, float]:
        """Pass once over the training images in an order and with changes drawn for the epoch.

        An epoch that was interrupted, or restored from a state, goes on behind its last batch.

        Returns:
            loss, accuracy and f1 of the training images, as they were met.

        Raises:
            InterruptedTrainingError: When the job is to stop; ``batches_done`` and ``sums`` say
                how far it is.
        """
        # Dropout masks follow the epoch's own seed, so that no epoch depends on earlier draws.
        keras.utils.set_random_seed(derive_seed(self.seed, "epoch", epoch))
        order = generator(self.seed, "order", epoch).permutation(len(part.rows))
        weights = class_weights(part.labels, self.settings["class_weights"])
        if self.head_only:
            inputs, places = (self._training_features(part, epoch),), np.arange(len(part.rows))
        else:
            inputs, places = (self.images, self._draws(epoch)), part.rows
        if epoch != self.epoch:
            self.epoch, self.batches_done, self.sums = epoch, 0, Counter()
        told = time.monotonic()
        for chosen in islice(batches(order, self.settings["batch_size"]), self.batches_done, None):
            self._stop_if_asked()
            figures = self.trained.train_on_batch(
                _gather(inputs, places[chosen]),
                part.labels[chosen],
                sample_weight=weights[chosen],
                return_dict=True,
            )
            self.batches_done += 1
            self.sums.update({name: float(figures[name]) for name in CALLS})
            self.sums["loss"] += float(figures["loss"]) * len(chosen)
            if time.monotonic() - told > SECONDS_BETWEEN_REPORTS:
                told = time.monotonic()
                self.report(f"epoch {epoch}: {self._images_met()} of {len(order)} images")
        sums, done = self.sums, self._images_met()
        wrong = sums["false_positive"] + sums["false_negative"]
        return {
            "loss": sums["loss"] / done,
            "accuracy": 1 - wrong / done,
            "f1": 2 * sums["true_positive"] / max(2 * sums["true_positive"] + wrong, 1),
        }

    def _images_met(self) -> int:
        return int(sum(self.sums[name] for name in CALLS))

    def _stop_if_asked(self) -> None:
        if self.stop():
            raise InterruptedTrainingError(
                "stopped by a signal; the next attempt goes on from here"
            )

    def predict(self, part: Part, name: str) -> np.ndarray:
        """Return the probability of blast, float64 (n,), of unchanged images.

        Args:
            part: Images to predict.
            name: Name of the part; features of a part are extracted once.
        """
        if not self.head_only:
            return blast_probability(self._run(self.model, (self.images,), part.rows))
        features = self._features(part, name, identity_draws(len(self.images)))
        places = np.arange(len(features))
        return blast_probability(self._run(self.trained, (features,), places))

    def _draws(self, epoch: int) -> np.ndarray:
        return draw_augmentations(len(self.images), self.settings["augmentation"], self.seed, epoch)

    def _training_features(self, part: Part, epoch: int) -> np.ndarray:
        if not changes_anything(self.settings["augmentation"]):
            return self._features(part, "train", identity_draws(len(self.images)))
        return self._extract(part, self._draws(epoch))

    def _features(self, part: Part, name: str, draws: np.ndarray) -> np.ndarray:
        if name not in self.kept_features:
            self.kept_features[name] = self._extract(part, draws)
        return self.kept_features[name]

    def _extract(self, part: Part, draws: np.ndarray) -> np.ndarray:
        return self._run(self.extractor, (self.images, draws), part.rows)

    def _run(self, model: keras.Model, inputs: tuple, places: np.ndarray) -> np.ndarray:
        outputs = []
        for chosen in batches(places, self.settings["batch_size"]):
            self._stop_if_asked()
            outputs.append(model.predict_on_batch(_gather(inputs, chosen)))
        return np.concatenate(outputs)[: len(places)]


def _gather(arrays: tuple, places: np.ndarray):
    """Read rows of each array; Keras wants a list for several inputs and the bare one for one."""
    rows = [np.asarray(array[places]) for array in arrays]
    return rows if len(rows) > 1 else rows[0]


def class_weights(labels: np.ndarray, balanced: bool) -> np.ndarray:
    """Return weights of the loss, float32 (n,), that average to 1.

    Args:
        labels: int64 (n,) 0 normal, 1 blast; both are there.
        balanced: Whether both classes count the same; otherwise all images do.
    """
    if not balanced:
        return np.ones(len(labels), dtype="float32")
    counts = np.bincount(labels, minlength=2)
    return (len(labels) / (2.0 * counts))[labels].astype("float32")


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
    course.resume()
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

    def resume(self) -> None:
        """Go to where the stored state is, when there is one."""
        stored = self.state and self.state.restore(self.trainer.trained)
        if not stored:
            return
        progress, self.best_weights = stored
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
                "probability": trainer.predict(parts[role], role),
            }
        )


def _validate(trainer: Trainer, part: Part | None) -> dict[str, float]:
    if part is None:
        return {}
    probability = trainer.predict(part, "validation")
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
