"""Which layers of a network are trained in which epochs, and with what learning rate.

``head`` trains the classifier alone, ``all`` the whole network from the start. ``staged`` is
gradual unfreezing (Howard & Ruder 2018) as the thesis' reference 81 (Vulli et al. 2022) uses it
with the 1-cycle policy: the classifier first, then more of the backbone from its end.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import keras

from blastfold.core.settings import ModelSettings
from blastfold.networks.architectures import Network, layer_block


class Stage(NamedTuple):
    """Consecutive epochs in which the same layers are trained.

    Attributes:
        first: First epoch, counted from 1.
        last: Last epoch.
        share: Share of the backbone's blocks that are trained, from its end.
        learning_rate: Learning rate; the highest one where a schedule changes it.
    """

    first: int
    last: int
    share: float
    learning_rate: float


def plan_stages(settings: ModelSettings) -> list[Stage]:
    """Divide the epochs of a training into stages.

    Args:
        settings: The model; train, epochs, learning_rate, stages and stage_learning_rate_factor
            are read.

    Returns:
        One stage for ``head`` and ``all``. For ``staged`` the configured number of stages, or one
        per epoch when there are fewer epochs: the classifier alone, then equal further shares of
        the backbone, finally all of it. Earlier stages are longer by at most one epoch.
    """
    epochs, learning_rate = settings.epochs, settings.learning_rate
    if settings.train != "staged":
        return [Stage(1, epochs, float(settings.train == "all"), learning_rate)]
    count = min(settings.stages, epochs)
    stages, first = [], 1
    for number in range(count):
        last = first + epochs // count + (number < epochs % count) - 1
        share = number / (count - 1) if count > 1 else 1.0
        factor = settings.stage_learning_rate_factor**number
        stages.append(Stage(first, last, share, learning_rate * factor))
        first = last + 1
    return stages


def stage_of(stages: Sequence[Stage], epoch: int) -> Stage:
    """Return the stage that an epoch belongs to."""
    return next(stage for stage in stages if stage.first <= epoch <= stage.last)


def freeze(network: Network, stage: Stage, freeze_batch_normalisation: bool) -> None:
    """Make the layers of a stage trainable and freeze all others.

    Args:
        network: The network; its head is always trained.
        stage: The stage; a block of the backbone is trained as a whole or not at all.
        freeze_batch_normalisation: Whether the batch normalisation of the backbone keeps its
            statistics and its scale, which small batches would spoil.
    """
    blocks = list(dict.fromkeys(layer_block(layer.name) for layer in network.backbone.layers))
    count = math.ceil(stage.share * len(blocks))
    trained = set(blocks[len(blocks) - count :])
    network.backbone.trainable = True
    for layer in network.backbone.layers:
        fixed = freeze_batch_normalisation and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = layer_block(layer.name) in trained and not fixed
    if not count:
        # The backbone as a whole, so that no layer in it behaves as in training.
        network.backbone.trainable = False
