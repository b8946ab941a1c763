"""Sizes of features and networks without building a network, for the disk that they need.

Numbers of channels and parameters come from a generated table. The size of the last feature map is
the image's divided by 32, rounded up: networks that do not pad their borders have a few rows less.
"""

import itertools
from collections.abc import Mapping

from blastfold.core.names import plain_name
from blastfold.core.settings import head_of, is_simple_cnn
from blastfold.experiment.applications import BACKBONES

STRIDE = 32
"""Every network of keras.applications halves its maps five times."""

SIMPLE_CNN_FILTERS = (32, 64, 128)
"""Filters of the 3x3 convolutions of the simple CNN (thesis, Fig. 4.8)."""

_BY_PLAIN_NAME = {plain_name(name): sizes for name, sizes in BACKBONES.items()}


def network_sizes(model: Mapping, image_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return how many numbers the backbone gives for an image, and the network consists of.

    Args:
        model: The model's entry of a checked config.
        image_size: Height and width of its images, pixels.

    Returns:
        Features, at most; and parameters, at most. None for an own network without a formula here.
    """
    head = head_of(model)
    if is_simple_cnn(model["architecture"]):
        rows, columns = map(_simple_cnn_side, image_size)
        channels, parameters = SIMPLE_CNN_FILTERS[-1], 0
        for inputs, filters in itertools.pairwise((3, *SIMPLE_CNN_FILTERS)):
            parameters += (9 * inputs + 1) * filters
        outputs = 1
    elif plain_name(model["architecture"]) not in _BY_PLAIN_NAME:
        return None
    else:
        rows, columns = (-(-side // STRIDE) for side in image_size)
        channels, parameters = _BY_PLAIN_NAME[plain_name(model["architecture"])]
        outputs = 2
    features = rows * columns * channels if head["pooling"] == "flatten" else channels
    for inputs, width in itertools.pairwise((features, *head["dense_units"], outputs)):
        parameters += (inputs + 1) * width
    return features, parameters


def _simple_cnn_side(side: int) -> int:
    """Two convolutions without padding, each with pooling by two after it, and a third one."""
    for _ in range(2):
        side = (side - 2) // 2
    return side - 2
