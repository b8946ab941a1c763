"""Counts of right and wrong predictions of training images, added up over an epoch."""

from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from blastfold.core.names import CELLS, THRESHOLD


def count_names(neurons: int) -> tuple[str, ...]:
    """Return what is counted of a network with so many outputs.

    Of two classes the cells of the confusion matrix. Of more classes, for each of them, the images
    that are rightly predicted, that are predicted as it, and that are of it.
    """
    if neurons <= 2:
        return CELLS
    return tuple(
        f"{count}-{label}" for count in ("right", "called", "of") for label in range(neurons)
    )


def accuracy_and_f1(sums: Mapping[str, float], neurons: int) -> tuple[float, float, float]:
    """Return the number of images, their accuracy and the F1 score.

    Args:
        sums: Counts by name, see :func:`count_names`.
        neurons: Outputs of the network.

    Returns:
        F1 is that of the last of two classes, and of more classes their mean (macro F1); a class
        that is neither present nor predicted has 0.
    """
    counts = np.array([sums[name] for name in count_names(neurons)])
    if neurons <= 2:
        images, wrong = counts.sum(), counts[1] + counts[2]
        return images, 1 - wrong / images, 2 * counts[3] / max(2 * counts[3] + wrong, 1)
    right, called, of = counts.reshape(3, neurons)
    f1 = np.mean(2 * right / np.maximum(called + of, 1))
    return of.sum(), right.sum() / of.sum(), float(f1)


@keras.saving.register_keras_serializable(package="blastfold")
class ConfusionCounts(keras.metrics.Metric):
    """Counts of :func:`count_names`; the weights of the loss are not used.

    Args:
        neurons: Outputs of the network.
    """

    def __init__(self, name="confusion", neurons=2, **kwargs):
        super().__init__(name=name, **kwargs)
        self.names = count_names(neurons)
        self.neurons = neurons
        self.counts = self.add_weight(name="counts", shape=(len(self.names),), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; y_pred is (n, 1) sigmoid or (n, classes) softmax."""
        if self.neurons > 2:
            truth = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), self.neurons)
            predicted = ops.one_hot(ops.argmax(y_pred, axis=-1), self.neurons)
            parts = truth * predicted, predicted, truth
            self.counts.assign_add(ops.concatenate([ops.sum(part, axis=0) for part in parts]))
            return
        truth = ops.cast(ops.reshape(y_true, (-1,)), "float32")
        predicted = ops.cast(y_pred[:, -1] >= THRESHOLD, "float32")
        counts = [
            ops.sum((1 - truth) * (1 - predicted)),
            ops.sum((1 - truth) * predicted),
            ops.sum(truth * (1 - predicted)),
            ops.sum(truth * predicted),
        ]
        self.counts.assign_add(ops.stack(counts))

    def result(self):
        """Return the counts by name."""
        return {name: self.counts[position] for position, name in enumerate(self.names)}


class EpochModel(keras.Model):
    """A model whose loss and metrics add up over all batches of an epoch.

    Keras' ``train_on_batch`` resets them before every batch. It looks through all layers to do so,
    which takes a third of the time of a small network's step.
    """

    def reset_metrics(self):
        """Keep the values of the batches before."""

    def start_epoch(self):
        """Set loss and metrics to zero."""
        super().reset_metrics()
