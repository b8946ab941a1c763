"""What happens to a stored image before the network sees it, the same in training and in use."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import InputError
from blastfold.networks.augmentation import COLUMNS, Augmentation
from blastfold.networks.layers import ImageNetScaling, MeanImageSubtraction
from blastfold.networks.stain_layers import build_stain_layer


class Preparation(NamedTuple):
    """From a stored image to the network's input: stain, random changes, scaling, in this order.

    Attributes:
        shape: (height, width, 3) of the images.
        scaling: From RGB 0-255 to the network's input.
        stain: Stain normalisation, before anything changes the colours; None for none.
    """

    shape: tuple[int, int, int]
    scaling: keras.Model
    stain: keras.layers.Layer | None

    def unchanged(self) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the input, uint8 images, and the network's input for them as they are."""
        image = keras.Input(self.shape, name="image", dtype="uint8")
        return image, self.scaling(self._normalised(image))

    def changed(self) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
        """Return the inputs, uint8 images and draws, and the network's input as draws change it."""
        image = keras.Input(self.shape, name="image", dtype="uint8")
        draws = keras.Input((len(COLUMNS),), name="draws")
        changed = Augmentation()([self._normalised(image), draws])
        return [image, draws], self.scaling(changed)

    def _normalised(self, image: keras.KerasTensor) -> keras.KerasTensor:
        return image if self.stain is None else self.stain(image)


def read_preparation(
    settings: dict,
    application: str | None,
    shape: tuple[int, int, int],
    mean_image: str | os.PathLike | None,
    stain: str | os.PathLike | None,
) -> Preparation:
    """Build a preparation from what was fitted on a fold's training images.

    Args:
        settings: The model entry of the config.
        application: Module of keras.applications that the backbone comes from, or None.
        shape: (height, width, 3) of the images.
        mean_image: File with the mean image that is subtracted; None where none is.
        stain: Record of the stain normalisation; None without.

    Raises:
        InputError: When the mean image has another size than the fold's images.
    """
    scaling = build_scaling(settings, application, read_mean_image(mean_image, settings, shape))
    if stain is None:
        return Preparation(shape, scaling, None)
    record = json.loads(Path(stain).read_text("utf-8"))
    return Preparation(shape, scaling, build_stain_layer(record))


def build_scaling(settings: dict, application: str | None, mean_image: np.ndarray) -> keras.Model:
    """Build what brings intensities to the range that the network expects.

    Args:
        settings: The model entry; ``preprocessing`` is ``mean_image``, ``source_mean_image``,
            ``imagenet`` or ``none``.
        application: Module of keras.applications that the backbone comes from, or None.
        mean_image: float32 (height, width, 3) mean of the fold's training images, or of those
            that the start weights come from.

    Raises:
        InputError: When ImageNet's scaling is asked for a network that never had ImageNet weights.
    """
    image = keras.Input(mean_image.shape, name="image")
    if settings["preprocessing"] == "none":
        return keras.Model(image, keras.layers.Rescaling(1.0)(image), name="as_stored")
    if settings["preprocessing"] == "imagenet":
        if application is None:
            raise InputError(
                "preprocessing: received 'imagenet', expected 'mean_image': "
                "simple_cnn has no ImageNet weights"
            )
        return keras.Model(image, ImageNetScaling(application)(image), name="scaling")
    subtraction = MeanImageSubtraction(mean_image.shape)
    scaling = keras.Model(image, subtraction(image), name="mean_subtraction")
    subtraction.set_mean_image(mean_image)
    return scaling


def read_mean_image(path: str | os.PathLike | None, settings: dict, shape: tuple) -> np.ndarray:
    """Read the mean image that a model subtracts, float32 (h, w, 3); zero where none is needed.

    The one of the images that start weights come from is brought to the size of these images.

    Raises:
        InputError: When the mean image of the fold has another size than its images.
    """
    if path is None:
        return np.zeros(shape, dtype="float32")
    mean_image = np.load(path)
    if mean_image.shape == tuple(shape):
        return mean_image
    if settings["preprocessing"] != "source_mean_image":
        raise InputError(f"{path}: received shape {mean_image.shape}, expected {tuple(shape)}")
    resized = keras.ops.image.resize(mean_image, shape[:2], antialias=True)
    return keras.ops.convert_to_numpy(resized)
