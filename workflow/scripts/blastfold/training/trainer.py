"""One network under training: passes over images, epoch by epoch, and predictions."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import keras
import numpy as np

from blastfold.core.fold_table import Part
from blastfold.core.progress import Progress
from blastfold.core.seeds import generator
from blastfold.core.settings import ModelSettings
from blastfold.networks.architectures import Network, class_probabilities
from blastfold.networks.learning_rate import OneCycle
from blastfold.networks.prediction_views import MeanOfViews
from blastfold.networks.preprocessing import Preparation
from blastfold.networks.unfreezing import Stage, freeze, plan_stages, stage_of
from blastfold.training.batches import (
    FeatureInputs,
    ImageInputs,
    batches,
    class_weights,
    gather,
    prepared_ahead,
)
from blastfold.training.device import ALWAYS_COMPILED
from blastfold.training.epoch_metrics import (
    ConfusionCounts,
    EpochModel,
    accuracy_and_f1,
    count_names,
)
from blastfold.training.state import InterruptedTrainingError

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_REPORTS = 60.0
"""Interval of the reports on a long epoch."""


class Trainer:
    """Trains a model epoch by epoch and predicts with it.

    Args:
        network: The network with its start weights.
        trained: Model from ``inputs.training`` of a batch to the network's output.
        predicting: Model from ``inputs.unchanged`` of a batch to the same output.
        inputs: Inputs of the models.
        settings: The model.
        seed: Seed of the training, from which the orders of the images are drawn.
        report: Receives a line on the progress of a long epoch.
        stop: Returns, between two batches, whether the job must stop.
        jit_compile: Whether XLA compiles the models.
        pieces: Number of equal pieces that a batch is cut into when the memory of the device is
            not enough; their gradients are added up.
    """

    def __init__(
        self,
        network: Network,
        trained: EpochModel,
        predicting: keras.Model,
        inputs: ImageInputs | FeatureInputs,
        settings: ModelSettings,
        seed: int,
        report: Callable[[str], None] = logger.info,
        stop: Callable[[], bool] = lambda: False,
        jit_compile: bool = ALWAYS_COMPILED,
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
        # Sums of this epoch from an earlier attempt, and the metrics of this attempt's batches.
        self.sums_before: Counter[str] = Counter()
        self.metrics: dict[str, float] | None = None

    def enter_stage(self, epoch: int, images: int) -> None:
        """Compile for the layers and the learning rate of an epoch, unless that has been done.

        Args:
            epoch: Epoch, counted from 1.
            images: Training images per epoch, which determine the length of a schedule.
        """
        stage = stage_of(self.stages, epoch)
        steps = None
        learning_rate = stage.learning_rate
        if self.settings.schedule == "one_cycle":
            epochs = stage.last - stage.first + 1
            steps = epochs * math.ceil(images / self.settings.batch_size)
            learning_rate = OneCycle(learning_rate, steps)
        if (stage, steps) == self.compiled_for:
            return
        self.compiled_for = stage, steps
        freeze(self.network, stage, self.settings.batch_normalisation == "frozen")
        one_neuron = self.neurons == 1
        self.trained.compile(
            optimizer=keras.optimizers.Adam(
                learning_rate,
                gradient_accumulation_steps=self.pieces if self.pieces > 1 else None,
            ),
            loss="binary_crossentropy" if one_neuron else "sparse_categorical_crossentropy",
            metrics=[ConfusionCounts(neurons=self.neurons)],
            jit_compile=self.jit_compile,
        )
        self.trained.optimizer.build(self.trained.trainable_variables)
        self.fresh_optimizer = [
            keras.ops.convert_to_numpy(value) for value in self.trained.optimizer.variables
        ]

    def restart(self, start: keras.Model, inputs: ImageInputs | FeatureInputs, seed: int) -> None:
        """Start another training of the same kind without tracing the network again.

        Args:
            start: A model with the variables of ``trained`` at their start, which are copied.
            inputs: What it is trained on.
            seed: Seed of its training.
        """
        for own, value in zip(self.trained.variables, start.variables, strict=True):
            own.assign(value)
        if self.compiled_for:
            optimizer = self.trained.optimizer.variables
            for own, value in zip(optimizer, self.fresh_optimizer, strict=True):
                own.assign(value)
        self.inputs, self.seed = inputs, seed
        self.start_epoch(0)

    def start_epoch(
        self, epoch: int, batches_done: int = 0, sums_before: Mapping[str, float] | None = None
    ) -> None:
        """Start an epoch, or continue one that an earlier attempt started.

        Args:
            epoch: Epoch, counted from 1.
            batches_done: Batches that the earlier attempt did.
            sums_before: :meth:`epoch_sums` of these batches.
        """
        self.epoch, self.batches_done, self.sums_before = epoch, batches_done, Counter(sums_before)
        self.trained.start_epoch()
        self.metrics = None

    def train_epoch(self, part: Part, epoch: int) -> dict[str, float]:
        """Pass once over the training images, in the order and with the changes of the epoch.

        An epoch that was interrupted, or restored from a state, continues after its last batch.

        Returns:
            loss, accuracy and f1 of the training images, each as predicted when it was trained on.

        Raises:
            InterruptedTrainingError: The job must stop; ``batches_done`` and :meth:`epoch_sums`
                hold its progress.
        """
        self.enter_stage(epoch, len(part.rows))
        if epoch != self.epoch:
            self.start_epoch(epoch)
        size = min(self.settings.batch_size, len(part.rows))
        progress = Progress(
            len(part.rows), self.report, "images", SECONDS_BETWEEN_REPORTS, self.batches_done * size
        )
        for pieces in prepared_ahead(self._batches(part, epoch)):
            self._stop_if_asked()
            for batch, labels, weights in pieces:
                self.metrics = self.trained.train_on_batch(
                    batch, labels, sample_weight=weights, return_dict=True
                )
            self.batches_done += 1
            progress.advance(size, f"epoch {epoch}: ")
        sums = self.epoch_sums()
        images, accuracy, f1 = accuracy_and_f1(sums, self.neurons)
        return {"loss": sums["loss"] / images, "accuracy": accuracy, "f1": f1}

    @property
    def neurons(self) -> int:
        """Number of outputs of the network."""
        return self.trained.outputs[0].shape[-1]

    def epoch_sums(self) -> Counter[str]:
        """Return the counts of predictions and the sum of losses of the epoch so far."""
        sums = Counter(self.sums_before)
        if self.metrics:
            counts = {name: float(self.metrics[name]) for name in count_names(self.neurons)}
            sums.update(counts)
            images, _, _ = accuracy_and_f1(counts, self.neurons)
            sums["loss"] += float(self.metrics["loss"]) * images
        return sums

    def _batches(self, part: Part, epoch: int) -> Iterator[list[tuple]]:
        """Yield the remaining batches of an epoch, as pieces: inputs, labels and weights."""
        order = generator(self.seed, "order", epoch).permutation(len(part.rows))
        weights = class_weights(part.labels, self.settings.class_weights)
        arrays = self.inputs.training(epoch)
        left = islice(batches(order, self.settings.batch_size), self.batches_done, None)
        for batch in left:
            yield [
                (gather(arrays, part.rows[chosen]), part.labels[chosen], weights[chosen])
                for chosen in np.split(batch, self.pieces)
            ]

    def _stop_if_asked(self) -> None:
        if self.stop():
            raise InterruptedTrainingError("stopped by a signal; the next attempt continues")

    def predict(self, part: Part) -> np.ndarray:
        """Return the probability of every class, float64 (n, classes), of unchanged images."""
        arrays = self.inputs.unchanged()
        chosen = batches(part.rows, self.settings.batch_size)
        outputs = []
        for batch in prepared_ahead(gather(arrays, rows) for rows in chosen):
            self._stop_if_asked()
            outputs.append(self.predicting.predict_on_batch(batch))
        return class_probabilities(np.concatenate(outputs)[: len(part.rows)])


def image_trainer(
    network: Network,
    preparation: Preparation,
    inputs: ImageInputs,
    settings: ModelSettings,
    seed: int,
    **options: Any,
) -> Trainer:
    """Return a trainer of a whole network on images.

    Args:
        network: The network with its start weights.
        preparation: Pre-processing before the network.
        inputs: Images and their changes.
        settings: The model.
        seed: Seed of the training.
        **options: ``report``, ``stop``, ``jit_compile`` and ``pieces`` of the trainer.
    """
    given, changed = preparation.changed(settings.augmentation)
    if settings.train == "head":
        # No layer of a frozen backbone behaves as in training, such as stochastic depth.
        output = network.head(network.backbone(changed, training=False))
    else:
        output = network.whole(changed)
    trained = EpochModel(given, output)
    predicting = whole_model(network, preparation, settings.test_time_views)
    return Trainer(network, trained, predicting, inputs, settings, seed, **options)


def whole_model(network: Network, preparation: Preparation, views: int = 1) -> keras.Model:
    """Return the model from stored images, uint8 (n, h, w, 3), to the network's output.

    Args:
        network: The network.
        preparation: Pre-processing before it.
        views: Views of an image whose outputs are averaged.
    """
    image, prepared = preparation.unchanged(views)
    output = network.whole(prepared)
    return keras.Model(image, MeanOfViews(views)(output) if views > 1 else output, name="model")


def head_trainer(
    network: Network, inputs: FeatureInputs, settings: ModelSettings, seed: int, **options: Any
) -> Trainer:
    """Return a trainer of a network's head on stored features (see :func:`image_trainer`).

    The head learns the same as in the whole network, since a frozen backbone never changes.
    """
    trained = EpochModel(network.head.inputs[0], network.head.outputs[0])
    return Trainer(network, trained, network.head, inputs, settings, seed, **options)
