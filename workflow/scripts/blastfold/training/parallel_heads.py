"""Many heads of one kind trained at the same time, each on labels of its own.

The heads have no weights in common, and Adam changes every weight by itself, so that each head is
trained as it would be alone: same layers, loss, class weights, optimiser, learning rates, batches
and early stopping. Two things differ from single trainings of the same heads. All of them see the
images in the same random order, and sums are rounded in another order.
"""

import itertools
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from blastfold.core.seeds import generator
from blastfold.core.settings import ModelSettings, is_simple_cnn
from blastfold.networks.learning_rate import OneCycle
from blastfold.training.batches import FeatureInputs, batches, class_weights
from blastfold.training.device import ALWAYS_COMPILED

MOST_WEIGHTS = 30_000_000
"""Weights of all heads that are trained at the same time: half a gigabyte with Adam's moments."""

SMALLEST = 1e-7
"""Keras keeps probabilities this far from 0 and 1 in its losses."""


@keras.saving.register_keras_serializable(package="blastfold")
class ParallelDense(keras.layers.Layer):
    """Dense layers side by side: (heads, n, inputs) gives (heads, n, units).

    Args:
        heads: Number of heads.
        units: Units of each.
        activation: ``relu``, ``sigmoid`` or ``softmax``.
    """

    def __init__(self, heads: int, units: int, activation: str, **options):
        super().__init__(**options)
        self.heads, self.units = heads, units
        self.activation = keras.activations.get(activation)

    def build(self, input_shape):
        """Make the weights, which :meth:`ParallelHeads.restart` fills."""
        shape = (self.heads, input_shape[-1], self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="zeros")
        self.bias = self.add_weight(
            name="bias", shape=(self.heads, 1, self.units), initializer="zeros"
        )

    def call(self, inputs):
        """Multiply by the weights of each head."""
        return self.activation(ops.matmul(inputs, self.kernel) + self.bias)


def heads_at_once(inputs: int, settings: ModelSettings, wanted: int, classes: int = 2) -> int:
    """Return how many heads are trained at the same time, so that memory suffices.

    Args:
        inputs: Features of an image.
        settings: The model.
        wanted: Number of heads.
        classes: Number of classes.
    """
    widths = [inputs, *settings.dense_units, classes]
    weights = sum(one * (other + 1) for one, other in itertools.pairwise(widths))
    groups = math.ceil(wanted / max(MOST_WEIGHTS // weights, 1))
    return math.ceil(wanted / groups)


class ParallelHeads:
    """Heads of one model side by side; built and traced once for any number of folds.

    Args:
        inputs: Features of an image.
        heads: Number of heads.
        settings: The model.
        seed: Seed of dropout.
        classes: Number of classes.
    """

    def __init__(
        self, inputs: int, heads: int, settings: ModelSettings, seed: int, classes: int = 2
    ):
        self.heads, self.settings, self.classes = heads, settings, classes
        features = keras.Input((inputs,), name="features")
        # The same images for every head.
        layer = ops.expand_dims(features, 0)
        for width in settings.dense_units:
            layer = ParallelDense(heads, width, "relu")(layer)
        if settings.dropout:
            if not settings.dense_units:
                # Every head drops other features.
                layer = ops.repeat(layer, heads, axis=0)
            layer = keras.layers.Dropout(settings.dropout, seed=seed)(layer)
        sigmoid = classes == 2 and is_simple_cnn(settings.architecture)
        last = ParallelDense(heads, 1 if sigmoid else classes, "sigmoid" if sigmoid else "softmax")
        output = last(layer)
        self.model = keras.Model(
            features,
            ops.transpose(output[..., -1]) if classes == 2 else ops.transpose(output, (1, 0, 2)),
        )
        self.model.jit_compile = ALWAYS_COMPILED
        self.compiled_for: int | None = None
        self.fresh_optimizer: list[np.ndarray] = []

    def train(
        self, inputs: FeatureInputs, rows: Sequence[np.ndarray], labels: np.ndarray, seed: int
    ) -> np.ndarray:
        """Train all heads from new start weights and predict with them.

        Args:
            inputs: Features of all images.
            rows: Rows of the images to train on, to validate on (may be empty) and to test on.
            labels: int64 (heads, images), the labels of all images for each head.
            seed: Seed of start weights and of the order of the images.

        Returns:
            float64 (heads, tested images), the probability of the last of two classes; of more
            classes (heads, tested images, classes).
        """
        train, validation, tested = rows
        self._restart(seed, len(train))
        weights = np.stack([_weights(own[train], self.settings) for own in labels])
        targets = np.stack([labels[:, train].T, weights.T], axis=-1).astype("float32")
        patience = self.settings.early_stopping
        kept = _KeptWeights(self.heads, patience) if patience else None
        for epoch in range(1, self.settings.epochs + 1):
            self._train_epoch(inputs.training(epoch)[0], train, targets, seed, epoch)
            if kept and kept.add(epoch, self._loss(inputs, validation, labels), self.model):
                break
        if kept:
            kept.restore(self.model)
        return self._predict(inputs, tested)

    def _restart(self, seed: int, images: int) -> None:
        """Give every head start weights of its own and the optimiser a fresh state.

        Start weights are drawn from the distribution of Keras' dense layers (Glorot and Bengio
        2010, Understanding the difficulty of training deep feedforward neural networks, equation
        16).
        """
        rate, steps = self.settings.learning_rate, 0
        if self.settings.schedule == "one_cycle":
            steps = self.settings.epochs * math.ceil(images / self.settings.batch_size)
            rate = OneCycle(rate, steps)
        if self.compiled_for != steps:
            optimizer = keras.optimizers.Adam(rate)
            self.model.compile(optimizer=optimizer, loss=summed_loss, jit_compile=ALWAYS_COMPILED)
            optimizer.build(self.model.trainable_variables)
            self.fresh_optimizer = [ops.convert_to_numpy(value) for value in optimizer.variables]
            self.compiled_for = steps
        for own, start in zip(self.model.optimizer.variables, self.fresh_optimizer, strict=True):
            own.assign(start)
        random = generator(seed, "parallel_heads")
        for variable in self.model.trainable_variables:
            _, inputs, units = variable.shape
            limit = math.sqrt(6 / (inputs + units)) if variable.name == "kernel" else 0.0
            variable.assign(random.uniform(-limit, limit, variable.shape).astype("float32"))

    def _train_epoch(self, features, train, targets, seed: int, epoch: int) -> None:
        order = generator(seed, "order", epoch).permutation(len(train))
        for batch in batches(order, self.settings.batch_size):
            chosen = np.asarray(features[train[batch]]).reshape(len(batch), -1)
            self.model.train_on_batch(chosen, targets[batch])

    def _predict(self, inputs: FeatureInputs, rows: np.ndarray) -> np.ndarray:
        features = inputs.unchanged()[0]
        outputs = [
            self.model.predict_on_batch(np.asarray(features[chosen]).reshape(len(chosen), -1))
            for chosen in batches(rows, self.settings.batch_size)
        ]
        return np.concatenate(outputs)[: len(rows)].swapaxes(0, 1).astype("float64")

    def _loss(
        self, inputs: FeatureInputs, validation: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Return the log loss of the validation images of each head, without class weights."""
        probability = np.clip(self._predict(inputs, validation), 1e-15, 1 - 1e-15)
        truth = labels[:, validation]
        if self.classes > 2:
            given = np.take_along_axis(probability, truth[..., np.newaxis], axis=2)[..., 0]
        else:
            given = np.where(truth == 1, probability, 1 - probability)
        return -np.log(given).mean(axis=1)


def summed_loss(targets, probability):
    """Return the weighted cross-entropy of each image, summed over the heads; (n,).

    Args:
        targets: float32 (n, heads, 2), label and weight.
        probability: float32 (n, heads), of the last of two classes; or (n, heads, classes).
    """
    labels, weights = targets[..., 0], targets[..., 1]
    kept = ops.clip(probability, SMALLEST, 1 - SMALLEST)
    if len(probability.shape) == 3:
        truth = ops.one_hot(ops.cast(labels, "int32"), probability.shape[-1])
        return ops.sum(-weights * ops.sum(truth * ops.log(kept), axis=-1), axis=-1)
    entropy = -labels * ops.log(kept) - (1 - labels) * ops.log(1 - kept)
    return ops.sum(weights * entropy, axis=-1)


class _KeptWeights:
    """The weights of every head after its best epoch, as early stopping keeps them.

    Args:
        heads: Number of heads.
        patience: Epochs without a smaller validation loss after which a head stops.
    """

    def __init__(self, heads: int, patience: int):
        self.patience = patience
        self.best = np.zeros(heads, dtype=int)
        self.loss = np.full(heads, np.inf)
        self.stopped = np.zeros(heads, dtype=bool)
        self.weights: list[np.ndarray] = []

    def add(self, epoch: int, loss: np.ndarray, model: keras.Model) -> bool:
        """Note the losses of an epoch; returns whether every head has stopped."""
        better = ~self.stopped & ((loss < self.loss) | (self.best == 0))
        self.loss = np.where(better, loss, self.loss)
        self.best = np.where(better, epoch, self.best)
        values = model.get_weights()
        self.weights = self.weights or [value.copy() for value in values]
        for kept, value in zip(self.weights, values, strict=True):
            if kept.ndim == 3:
                kept[better] = value[better]
        self.stopped |= epoch - self.best >= self.patience
        return bool(self.stopped.all())

    def restore(self, model: keras.Model) -> None:
        """Give every head its kept weights."""
        model.set_weights(self.weights)


def _weights(labels: np.ndarray, settings: ModelSettings) -> np.ndarray:
    """Return class weights; labels of one class, as a permutation may give, weigh the same."""
    return class_weights(labels, settings.class_weights and len(set(labels.tolist())) > 1)
