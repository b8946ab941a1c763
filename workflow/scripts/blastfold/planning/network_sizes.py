"""Sizes of features and networks without building a network, for the disk that they need.

Numbers of channels and parameters come from a generated table. The size of the last feature map is
the image's divided by 32, rounded up: networks that do not pad their borders have a few rows less.
"""

import itertools
from collections.abc import Mapping

from blastfold.core.names import plain_name
from blastfold.core.settings import SEPARABLE_CNN, SIMPLE_CNN, TINY_CNN, head_of
from blastfold.experiment.applications import BACKBONES

STRIDE = 32
"""Every network of keras.applications halves its maps five times."""

OWN_FILTERS = {SIMPLE_CNN: (32, 64, 128), TINY_CNN: (8, 16, 32)}
"""Filters of the 3x3 convolutions of the networks that are built here (thesis, Fig. 4.8)."""

OWN_POOLINGS = {SIMPLE_CNN: 2, TINY_CNN: 3}
"""How many of these convolutions have pooling by two after them, from the first."""

SEPARABLE_SIZES = 4, 64, 9248
"""Stride, channels and parameters of the separable CNN without its head."""

_BY_PLAIN_NAME = {plain_name(name): sizes for name, sizes in BACKBONES.items()}


def network_sizes(model: Mapping, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return how many numbers the backbone gives for an image, and the network consists of.

    Args:
        model: The model's entry of a checked config.
        image_size: Height and width of its images, pixels.

    Returns:
        Features, at most; and parameters, at most. None for an own network without a formula here.
    """
    head, name = head_of(model), plain_name(model["architecture"])
    outputs = 1 if name == SIMPLE_CNN else 2
    if name in OWN_FILTERS:
        rows, columns = (_own_side(name, side) for side in image_size)
        channels, parameters = OWN_FILTERS[name][-1], 0
        for inputs, filters in itertools.pairwise((3, *OWN_FILTERS[name])):
            parameters += (9 * inputs + 1) * filters
    elif name == SEPARABLE_CNN:
        stride, channels, parameters = SEPARABLE_SIZES
        rows, columns = (-(-side // stride) for side in image_size)
    elif name not in _BY_PLAIN_NAME:
        return None
    else:
        rows, columns = (-(-side // STRIDE) for side in image_size)
        channels, parameters = _BY_PLAIN_NAME[name]
    features = rows * columns * channels if head["pooling"] == "flatten" else channels
    for inputs, width in itertools.pairwise((features, *head["dense_units"], outputs)):
        parameters += (inputs + 1) * width
    return features, parameters


def _own_side(network: str, side: int) -> int:
    """Convolutions without padding, the first of them with pooling."""
    for number in range(len(OWN_FILTERS[network])):
        side -= 2
        if number < OWN_POOLINGS[network]:
            side //= 2
    return side
