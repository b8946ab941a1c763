"""Pre-processing as layers: a saved model takes stored images and needs no other file."""

import importlib

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="blastfold")
class MeanImageSubtraction(keras.layers.Layer):
    """Subtracts the mean image of the training images (thesis 4.3), which is stored as a weight.

    With a module of keras.applications, the mean image takes the place of ImageNet's mean: the
    channel order and the scale are those that the ImageNet weights of the network expect.

    Args:
        shape: (height, width, 3) of the images.
        divisor: The difference is divided by it; without a module only.
        module: Name of the network's module in keras.applications, or None.
        zero: Three intensities, for a network that scales its input itself: the colour that its
            own layers turn into 0, and so what the mean image has to become.
    """

    def __init__(self, shape, divisor=1.0, module=None, zero=(0.0, 0.0, 0.0), **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.divisor = divisor
        self.module = module
        self.zero = tuple(zero)
        self.mean_image = self.add_weight(
            name="mean_image", shape=self.shape, initializer="zeros", trainable=False
        )

    def set_mean_image(self, mean_image: np.ndarray) -> None:
        """Store a mean image, float32 (height, width, 3), RGB 0-255."""
        self.mean_image.assign(mean_image)

    def call(self, images):
        """Return images minus the mean image as float32, in the units of the network."""
        images = ops.cast(images, "float32")
        if self.module is None:
            difference = images - self.mean_image
            return difference if self.divisor == 1.0 else difference / self.divisor
        mean_image = ops.cast(self.mean_image, "float32")[None]
        # The scaling is affine, so that ImageNet's mean drops out of the difference.
        difference = _scale(self.module, images) - _scale(self.module, mean_image)
        return difference + np.array(self.zero, dtype="float32")

    def get_config(self):
        """Return the arguments of the constructor."""
        own = {name: getattr(self, name) for name in ("shape", "divisor", "module", "zero")}
        return {**super().get_config(), **own}


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
        return _scale(self.module, ops.cast(images, "float32"))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {**super().get_config(), "module": self.module}


def _scale(module, images):
    """Return float32 images as the ``preprocess_input`` of a network returns them."""
    application = importlib.import_module(f"keras.applications.{module}")
    return application.preprocess_input(images)


def zero_colour(backbone: keras.Model) -> tuple[float, float, float]:
    """Return the colour that the first layers of a network turn into 0, as three intensities.

    Some networks of keras.applications scale images themselves, for instance EfficientNetV2. Of
    all others the colour is 0.

    Args:
        backbone: The network with its weights, of which the mean that it subtracts may be a part.
    """
    black = np.zeros((1, 1, 1, 3), dtype="float32")
    white = np.full_like(black, 255.0)
    inner = (keras.layers.Rescaling, keras.layers.Normalization)
    for layer in backbone.layers[1:]:
        if not isinstance(layer, inner):
            break
        black, white = (ops.convert_to_numpy(layer(colour)) for colour in (black, white))
    zero = (0.0 - black) / (white - black) * 255.0
    return tuple(float(value) for value in zero.ravel())
