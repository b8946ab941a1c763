"""Pre-processing as layers: a saved model takes stored images and needs no other file."""

import importlib

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="blastfold")
class MeanImageSubtraction(keras.layers.Layer):
    """Subtracts the mean image of the training images (thesis 4.3), which is stored as a weight.

    Args:
        shape: (height, width, 3) of the images.
    """

    def __init__(self, shape, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.mean_image = self.add_weight(
            name="mean_image", shape=self.shape, initializer="zeros", trainable=False
        )

    def set_mean_image(self, mean_image: np.ndarray) -> None:
        """Store a mean image, float32 (height, width, 3), RGB 0-255."""
        self.mean_image.assign(mean_image)

    def call(self, images):
        """Return images minus the mean image as float32."""
        return ops.cast(images, "float32") - self.mean_image

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "shape": self.shape}


@keras.saving.register_keras_serializable(package="blastfold")
class ImageNetScaling(keras.layers.Layer):
    """Scales RGB 0-255 as the ImageNet weights of a keras.applications network expect.

    Args:
        module: Name of the network's module in keras.applications, for instance ``"densenet"``.
    """

    def __init__(self, module, **kwargs):
        super().__init__(**kwargs)
        self.module = module

    def call(self, images):
        """Return the images as the ``preprocess_input`` of the network returns them."""
        application = importlib.import_module(f"keras.applications.{self.module}")
        return application.preprocess_input(ops.cast(images, "float32"))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "module": self.module}
