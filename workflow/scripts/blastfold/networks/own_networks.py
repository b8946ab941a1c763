"""Networks that are built here: the simple CNN of the thesis, and two light ones."""

import keras

from blastfold.core.errors import InputError
from blastfold.core.settings import OWN_NETWORKS, SEPARABLE_CNN, SIMPLE_CNN, TINY_CNN

Shape = tuple[int, int, int]

MOMENTUM = 0.9
"""Of the moving averages of batch normalisation."""


def build_own(name: str, shape: Shape, pooling: str) -> keras.Model:
    """Build the convolutional part of an own network.

    Args:
        name: Its plain name, a key of :data:`blastfold.core.settings.OWN_NETWORKS`.
        shape: (height, width, 3) of the images.
        pooling: ``flatten`` gives whole maps, ``average`` one vector per image. The simple CNN
            gives whole maps always, as in the thesis.

    Raises:
        InputError: The images are too small.
    """
    check_size(name, shape)
    image = keras.Input(shape, name="image")
    maps = MAPS[name](image)
    if pooling == "average" and name != SIMPLE_CNN:
        maps = keras.layers.GlobalAveragePooling2D(name="average")(maps)
    return keras.Model(image, maps, name=OWN_NETWORKS[name].name)


def simple_maps(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return the feature maps of the simple CNN of the thesis (Fig. 4.8).

    With its head it has 59,075,905 parameters at 257x257x3.
    """
    maps = _pooled_convolutions(image, (32, 64))
    return keras.layers.Conv2D(128, 3, activation="relu", name="convolution_3")(maps)


def tiny_maps(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return the feature maps of the tiny CNN: three convolutions, each with pooling after it.

    With 8, 16 and 32 filters it has 6,032 parameters.
    """
    return _pooled_convolutions(image, (8, 16, 32))


def separable_maps(image: keras.KerasTensor) -> keras.KerasTensor:
    """Return the feature maps of the separable CNN: the beginning of a MobileNet.

    Howard et al. (2017), MobileNets, Table 1: the first convolution and the first three depthwise
    separable convolutions, with half of the filters (width multiplier 0.5). Batch normalisation and
    ReLU follow every convolution. It has 9,248 parameters.
    """
    maps = keras.layers.Conv2D(16, 3, 2, padding="same", use_bias=False, name="convolution")(image)
    maps = _normalised(maps, "convolution")
    for number, (filters, stride) in enumerate(((32, 1), (64, 2), (64, 1)), start=1):
        depthwise, pointwise = f"block{number}_depthwise", f"block{number}_pointwise"
        maps = keras.layers.DepthwiseConv2D(
            3, stride, padding="same", use_bias=False, name=depthwise
        )(maps)
        maps = _normalised(maps, depthwise)
        maps = keras.layers.Conv2D(filters, 1, use_bias=False, name=pointwise)(maps)
        maps = _normalised(maps, pointwise)
    return maps


def _normalised(maps: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Apply batch normalisation and ReLU after the convolution of a name."""
    # Trainings here may have less than a hundred steps; Keras' momentum of 0.99 needs more of them.
    normalised = keras.layers.BatchNormalization(momentum=MOMENTUM, name=f"{name}_bn")(maps)
    return keras.layers.ReLU(name=f"{name}_relu")(normalised)


def _pooled_convolutions(maps: keras.KerasTensor, filters: tuple[int, ...]) -> keras.KerasTensor:
    """Apply 3x3 convolutions, each with pooling by two after it."""
    for number, count in enumerate(filters, start=1):
        convolution = keras.layers.Conv2D(count, 3, activation="relu", name=f"convolution_{number}")
        maps = keras.layers.MaxPooling2D(name=f"pooling_{number}")(convolution(maps))
    return maps


def check_size(network: str, shape: Shape) -> None:
    """Check that an own network can take images of a size.

    Raises:
        InputError: The images are too small.
    """
    smallest = OWN_NETWORKS[network].smallest
    if min(shape[:2]) < smallest:
        raise InputError(
            f"{OWN_NETWORKS[network].name}: received image_size {list(shape[:2])}, expected at "
            f"least {smallest}x{smallest} pixels"
        )


MAPS = {SIMPLE_CNN: simple_maps, TINY_CNN: tiny_maps, SEPARABLE_CNN: separable_maps}
"""By plain name: from an image to the last feature maps."""
