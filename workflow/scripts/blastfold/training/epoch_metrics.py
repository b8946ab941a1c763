"""How many images were called right and wrong during training, added up over an epoch."""

import keras
from keras import ops

CALLS = ("true_negative", "false_positive", "false_negative", "true_positive")
"""Names of the counts, in order."""


@keras.saving.register_keras_serializable(package="blastfold")
class CallCounts(keras.metrics.Metric):
    """Counts of right and wrong calls at the threshold 0.5; weights of the loss play no part."""

    def __init__(self, name="calls", **kwargs):
        super().__init__(name=name, **kwargs)
        self.counts = self.add_weight(name="counts", shape=(len(CALLS),), initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Count the calls of a batch; y_pred (n, 1) sigmoid or (n, 2) softmax, blast last."""
        truth = ops.cast(ops.reshape(y_true, (-1,)), "float32")
        called = ops.cast(y_pred[:, -1] >= 0.5, "float32")
        counts = [
            ops.sum((1 - truth) * (1 - called)),
            ops.sum((1 - truth) * called),
            ops.sum(truth * (1 - called)),
            ops.sum(truth * called),
        ]
        self.counts.assign_add(ops.stack(counts))

    def result(self):
        """Return the counts by name (see CALLS)."""
        return {name: self.counts[position] for position, name in enumerate(CALLS)}


class EpochModel(keras.Model):
    """A model whose figures (loss and metrics) add up over all batches until they are reset.

    Keras' ``train_on_batch`` resets them before every batch and looks through all layers for it,
    which takes a third of the time of a small network's step.
    """

    def reset_metrics(self):
        """Keep the figures of the batches before."""

    def reset_figures(self):
        """Begin anew, as with an epoch."""
        super().reset_metrics()
