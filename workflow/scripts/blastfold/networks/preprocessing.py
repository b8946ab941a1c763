"""Pre-processing between a stored image and the network, the same in training and in use."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.preprocessing_kinds import DECLARED, HALF_RANGE, IMAGENET, KINDS, SCALED
from blastfold.core.settings import AugmentationSettings, OnnxSettings
from blastfold.networks.augmentation import COLUMNS, Augmentation
from blastfold.networks.layers import ImageNetScaling, MeanImageSubtraction, zero_colour
from blastfold.networks.prediction_views import PredictionViews
from blastfold.networks.stain_layers import build_stain_layer


class Preparation(NamedTuple):
    """Steps from a stored image to the network's input: stain, random changes, scaling.

    Attributes:
        shape: (height, width, 3) of the images.
        scaling: From RGB 0-255 to the network's input.
        stain: Stain normalisation, before any change of the colours; None without.
    """

    shape: tuple[int, int, int]
    scaling: keras.Model
    stain: keras.layers.Layer | None

    def unchanged(self, views: int = 1) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        """Return the input (uint8 images) and the network's input for unchanged images.

        With several views the network's input has that many times as many images
        (:mod:`blastfold.networks.prediction_views`).
        """
        image = keras.Input(self.shape, name="image", dtype="uint8")
        seen = self._normalised(image)
        return image, self.scaling(PredictionViews(views)(seen) if views > 1 else seen)

    def changed(
        self, augmentation: AugmentationSettings
    ) -> tuple[list[keras.KerasTensor], keras.KerasTensor]:
        """Return the inputs (uint8 images, draws) and the network's input for changed images."""
        image = keras.Input(self.shape, name="image", dtype="uint8")
        draws = keras.Input((len(COLUMNS),), name="draws")
        change = Augmentation(stains=augmentation.stain_jitter > 0)
        changed = change([self._normalised(image), draws])
        return [image, draws], self.scaling(changed)

    def _normalised(self, image: keras.KerasTensor) -> keras.KerasTensor:
        return image if self.stain is None else self.stain(image)


def build_preparation(
    preprocessing: str,
    application: str | None,
    mean_image: np.ndarray,
    stain_record: Mapping | None,
    backbone: keras.Model | None = None,
    declared: OnnxSettings | None = None,
) -> Preparation:
    """Build a preparation from what was fitted on the training images of a fold.

    Args:
        preprocessing: One of :data:`blastfold.core.preprocessing_kinds.KINDS`.
        application: Module of keras.applications that the backbone comes from, or None.
        mean_image: float32 (height, width, 3) that is subtracted where ``preprocessing`` asks
            for it; its shape is that of the images.
        stain_record: The fold's record of stain normalisation; None without normalisation.
        backbone: See :func:`build_scaling`.
        declared: What the config declares of an ONNX file, where ``preprocessing`` is declared.
    """
    if KINDS[preprocessing].units == DECLARED:
        scaling = declared_scaling(mean_image.shape, declared)
    else:
        scaling = build_scaling(preprocessing, application, mean_image, backbone)
    stain = None if stain_record is None else build_stain_layer(stain_record)
    return Preparation(mean_image.shape, scaling, stain)


def build_scaling(
    preprocessing: str,
    application: str | None,
    mean_image: np.ndarray,
    backbone: keras.Model | None = None,
) -> keras.Model:
    """Build the model that scales intensities to the range that the network expects.

    Args:
        preprocessing: One of :data:`blastfold.core.preprocessing_kinds.KINDS`.
        application: Module of keras.applications that the backbone comes from, or None.
        mean_image: float32 (height, width, 3), mean of the fold's training images or of the images
            that the start weights come from.
        backbone: The backbone with its start weights. It is needed where a mean image takes the
            place of ImageNet's mean in a network that scales images itself.

    Raises:
        InputError: ImageNet's scaling is requested for a network without ImageNet weights.
    """
    kind = KINDS[preprocessing]
    if kind.units == IMAGENET and application is None:
        raise InputError(
            f"preprocessing: received {preprocessing!r}, expected mean_image: simple_cnn has no "
            "ImageNet weights"
        )
    image = keras.Input(mean_image.shape, name="image")
    if kind.mean is None:
        scaled = kind.units == IMAGENET
        layer = ImageNetScaling(application) if scaled else keras.layers.Rescaling(1.0)
        return keras.Model(image, layer(image), name="scaling" if scaled else "as_stored")
    options = {"divisor": HALF_RANGE} if kind.units == SCALED else {}
    if kind.units == IMAGENET:
        options["module"] = application
        options |= {} if backbone is None else {"zero": zero_colour(backbone)}
    subtraction = MeanImageSubtraction(mean_image.shape, **options)
    scaling = keras.Model(image, subtraction(image), name="mean_subtraction")
    subtraction.set_mean_image(mean_image)
    return scaling


def declared_scaling(shape: tuple[int, int, int], declared: OnnxSettings | None) -> keras.Model:
    """Build the model that brings images to the size and the scale that an ONNX file declares.

    Args:
        shape: (height, width, 3) of the images.
        declared: What is declared; None leaves the images unchanged.

    Returns:
        From RGB 0-255, (n, height, width, 3), to (scale * image - mean) / std of the declared
        size, channels last. Images are resized bilinearly, after smoothing where they shrink.
    """
    image = keras.Input(shape, name="image")
    scaled = image
    if declared and tuple(declared.size) != tuple(shape[:2]):
        scaled = keras.layers.Resizing(*declared.size, antialias=True)(scaled)
    factor, offset = [1.0] * 3, [0.0] * 3
    if declared:
        factor = [declared.scale / deviation for deviation in declared.std]
        pairs = zip(declared.mean, declared.std, strict=True)
        offset = [-mean / deviation for mean, deviation in pairs]
    return keras.Model(image, keras.layers.Rescaling(factor, offset)(scaled), name="scaling")


def resize_mean_image(mean_image: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Bring the mean image of a source task to the size of other images, float32 ``shape``."""
    if mean_image.shape == tuple(shape):
        return mean_image
    resized = keras.ops.image.resize(mean_image, shape[:2], antialias=True)
    return keras.ops.convert_to_numpy(resized)
