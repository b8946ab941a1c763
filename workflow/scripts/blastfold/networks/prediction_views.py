"""Test-time augmentation: a prediction is the mean over several views of an image.

The views are the flips and the transposition that training images undergo (thesis 4.5), all of
them and none at random, so that a stored network predicts the same whenever it is used. They are
layers of the stored network: validation, internal and external tests all predict by them.
"""

import keras
from keras import ops

FLIPPED = ((False, False), (True, False), (False, True), (True, True))
"""Whether a view is flipped left-right and up-down; with the transposition there are eight."""


@keras.saving.register_keras_serializable(package="blastfold")
class PredictionViews(keras.layers.Layer):
    """Turns a batch of n images into one of n times ``views``, those of one image in a row.

    Args:
        views: 1, 2, 4 or 8; the first is the image itself, 5 to 8 are transposed.
    """

    def __init__(self, views, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.views = views

    def call(self, images):
        """Return (n * views, h, w, 3) of (n, h, w, 3) in the same type."""
        shape = images.shape[1:]
        found = []
        for transposed in (False, True):
            turned = ops.transpose(images, (0, 2, 1, 3)) if transposed else images
            if transposed and self.views <= len(FLIPPED):
                break
            for left_right, up_down in FLIPPED:
                view = ops.flip(turned, axis=2) if left_right else turned
                found.append(ops.flip(view, axis=1) if up_down else view)
        return ops.reshape(ops.stack(found[: self.views], axis=1), (-1, *shape))

    def compute_output_shape(self, input_shape):
        """Return the shape of a batch of an unknown number of views."""
        return (None, *input_shape[1:])

    def get_config(self):
        """Return the arguments of the constructor."""
        return _without_dtype(super().get_config()) | {"views": self.views}


@keras.saving.register_keras_serializable(package="blastfold")
class MeanOfViews(keras.layers.Layer):
    """Averages the outputs of the views of each image: probabilities, in float32.

    Args:
        views: As in :class:`PredictionViews`.
    """

    def __init__(self, views, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.views = views

    def call(self, outputs):
        """Return (n, neurons) of (n * views, neurons)."""
        by_image = ops.reshape(outputs, (-1, self.views, outputs.shape[-1]))
        return ops.mean(by_image, axis=1)

    def compute_output_shape(self, input_shape):
        """Return the shape of a batch of an unknown number of images."""
        return (None, input_shape[-1])

    def get_config(self):
        """Return the arguments of the constructor."""
        return _without_dtype(super().get_config()) | {"views": self.views}


def _without_dtype(config: dict) -> dict:
    """Return a layer's config without its type, which is fixed."""
    return {key: value for key, value in config.items() if key != "dtype"}
