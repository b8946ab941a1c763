"""One network under training: passes over images, epoch by epoch, and predictions."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import keras
import numpy as np

from blastfold.core.fold_table import Part
from blastfold.core.seeds import generator
from blastfold.networks.architectures import Network, blast_probability
from blastfold.networks.preprocessing import Preparation
from blastfold.networks.unfreezing import OneCycle, Stage, freeze, plan_stages, stage_of
from blastfold.training.batches import (
    FeatureInputs,
    ImageInputs,
    batches,
    class_weights,
    gather,
    prepared_ahead,
)
from blastfold.training.epoch_metrics import CALLS, CallCounts, EpochModel
from blastfold.training.state import InterruptedTrainingError

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
        trained: EpochModel,
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
        # What an earlier attempt met of this epoch, and the figures of what this one did.
        self.met_before: Counter[str] = Counter()
        self.figures: dict[str, float] | None = None

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
        self.start_epoch(0)

    def start_epoch(
        self, epoch: int, batches_done: int = 0, met_before: Mapping[str, float] | None = None
    ) -> None:
        """Begin an epoch, or go on in one of which so many batches are done and were met so."""
        self.epoch, self.batches_done, self.met_before = epoch, batches_done, Counter(met_before)
        self.trained.reset_figures()
        self.figures = None

    def train_epoch(self, part: Part, epoch: int) -> dict[str, float]:
        """Pass once over the training images in an order and with changes drawn for the epoch.

        An epoch that was interrupted, or restored from a state, goes on behind its last batch.

        Returns:
            loss, accuracy and f1 of the training images, as they were met.

        Raises:
            InterruptedTrainingError: When the job is to stop; ``batches_done`` and :meth:`met`
                say how far it is.
        """
        self.enter_stage(epoch, len(part.rows))
        if epoch != self.epoch:
            self.start_epoch(epoch)
        told = time.monotonic()
        for pieces in prepared_ahead(self._batches(part, epoch)):
            self._stop_if_asked()
            for batch, labels, weights in pieces:
                self.figures = self.trained.train_on_batch(
                    batch, labels, sample_weight=weights, return_dict=True
                )
            self.batches_done += 1
            if time.monotonic() - told > SECONDS_BETWEEN_REPORTS:
                told = time.monotonic()
                done = self.batches_done * len(labels) * self.pieces
                self.report(f"epoch {epoch}: {done} of {len(part.rows)} images")
        met = self.met()
        done = sum(met[name] for name in CALLS)
        wrong = met["false_positive"] + met["false_negative"]
        return {
            "loss": met["loss"] / done,
            "accuracy": 1 - wrong / done,
            "f1": 2 * met["true_positive"] / max(2 * met["true_positive"] + wrong, 1),
        }

    def met(self) -> Counter[str]:
        """Return how the images of the epoch were called so far, and the sum of their losses."""
        met = Counter(self.met_before)
        if self.figures:
            calls = {name: float(self.figures[name]) for name in CALLS}
            met.update(calls)
            met["loss"] += float(self.figures["loss"]) * sum(calls.values())
        return met

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
    trained = EpochModel(given, output)
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
    trained = EpochModel(network.head.inputs[0], network.head.outputs[0])
    return Trainer(network, trained, network.head, inputs, settings, seed, **options)
