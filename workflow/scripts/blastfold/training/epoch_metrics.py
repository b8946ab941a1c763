"""Counts of right and wrong predictions of training images, added up over an epoch."""

import keras
from keras import ops

from blastfold.core.names import CELLS, THRESHOLD


@keras.saving.register_keras_serializable(package="blastfold")
class ConfusionCounts(keras.metrics.Metric):
    """Cells of the confusion matrix; the weights of the loss are not used."""

    def __init__(self, name="confusion", **kwargs):
        super().__init__(name=name, **kwargs)
        self.counts = self.add_weight(name="counts", shape=(len(CELLS),), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count a batch; y_pred is (n, 1) sigmoid or (n, 2) softmax, the positive class last."""
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
        """Return the counts by cell."""
        return {name: self.counts[position] for position, name in enumerate(CELLS)}


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
