"""The networks: those of keras.applications and those that are built here, with a head."""

import inspect
import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import is_file
from blastfold.core.names import plain_name
from blastfold.core.settings import OWN_NETWORKS, ModelSettings, is_simple_cnn
from blastfold.networks.multiply_adds import UncountedLayerError, multiply_adds
from blastfold.networks.own_networks import build_own

logger = logging.getLogger(__name__)


class Network(NamedTuple):
    """A network in its two parts, each a Keras model.

    Attributes:
        backbone: From pre-processed images (h, w, 3) to features: averaged (channels,) or whole
            maps (rows, columns, channels), as the simple CNN has them.
        head: From features to the output: one softmax neuron per class, or for the simple CNN and
            two classes one sigmoid neuron with the probability of the last one.
        application: Module of keras.applications that the backbone comes from, or None.
    """

    backbone: keras.Model
    head: keras.Model
    application: str | None

    @property
    def whole(self) -> keras.Model:
        """The network from pre-processed images to the output."""
        features = self.backbone.output
        return keras.Model(self.backbone.input, self.head(features), name="network")


def find_application(architecture: str) -> tuple[str, str]:
    """Find a network of keras.applications by name; case, ``_`` and ``-`` do not matter.

    Returns:
        The function's name and its module's name, for instance ``("VGG19", "vgg19")``.

    Raises:
        InputError: There is no such network; the message lists those that exist.
    """
    networks = {
        plain_name(name): name
        for name, member in inspect.getmembers(keras.applications)
        if inspect.isfunction(member)
    }
    wanted = plain_name(architecture)
    if wanted not in networks:
        raise InputError(
            f"architecture: received {architecture!r}, expected {own_names()} or one of "
            f"keras.applications: {', '.join(sorted(networks.values()))}"
        )
    name = networks[wanted]
    return name, getattr(keras.applications, name).__module__.rsplit(".", 1)[-1]


def build_network(
    settings: ModelSettings,
    shape: tuple[int, int, int],
    backbone_seed: int | None = None,
    head_seed: int | None = None,
    classes: int = 2,
) -> Network:
    """Build a network with random start weights.

    Args:
        settings: The model.
        shape: (height, width, 3) of the images.
        backbone_seed: Seed of the backbone's start weights; None continues Keras' own stream.
        head_seed: Seed of the head's start weights and of its dropout; None continues Keras' own
            stream. With its own seed a head starts with the same weights whether or not a backbone
            was built before it.
        classes: Number of classes.

    Returns:
        The network; the backbone is frozen when ``train`` is ``head``.

    Raises:
        InputError: The architecture is unknown or cannot take images of this size.
    """
    backbone, application = build_backbone(
        settings.architecture, settings.pooling, shape, backbone_seed
    )
    backbone.trainable = settings.train != "head"
    head = build_head(
        backbone.output.shape[1:],
        settings.architecture,
        settings.dense_units,
        settings.dropout,
        head_seed,
        classes,
    )
    return Network(backbone, head, application)


def build_backbone(
    architecture: str, pooling: str, shape: tuple[int, int, int], seed: int | None = None
) -> tuple[keras.Model, str | None]:
    """Build the part of a network that computes features of images (see :func:`build_network`).

    Args:
        architecture: Name of the network.
        pooling: ``average`` gives one vector per image, ``flatten`` whole feature maps.
        shape: (height, width, 3) of the images.
        seed: Seed of the start weights; None continues Keras' own stream.

    Returns:
        The backbone and the module of keras.applications that it comes from, None for one of
        :mod:`blastfold.networks.own_networks`.

    Raises:
        InputError: The architecture is unknown or cannot take images of this size.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    if plain_name(architecture) in OWN_NETWORKS:
        return build_own(plain_name(architecture), shape, pooling), None
    name, module = find_application(architecture)
    try:
        # Averaging is part of the backbone, so that stored features are vectors, not maps.
        backbone = getattr(keras.applications, name)(
            include_top=False,
            weights=None,
            input_shape=shape,
            pooling="avg" if pooling == "average" else None,
        )
    except ValueError as error:
        raise InputError(
            f"architecture {name} cannot take images of {shape[0]}x{shape[1]} pixels "
            f"(image_size of the data set): {error}"
        ) from error
    return backbone, module


def own_names() -> str:
    """Return the names of the networks that are built here, for messages."""
    return ", ".join(network.name for network in OWN_NETWORKS.values())


@keras.saving.register_keras_serializable(package="blastfold")
class StoredFeatures(keras.layers.Layer):
    """Takes the place of a backbone that is no Keras network, in the description of a network.

    Its features are stored; it computes nothing itself.

    Args:
        shape: Shape of the features of an image.
        parameters: Number of the backbone's parameters; 0 where it is not known.
        multiply_adds: Those of the backbone for one image; None where they are not known.
    """

    def __init__(self, shape, parameters=0, multiply_adds=None, **kwargs):
        super().__init__(**kwargs)
        self.shape = tuple(shape)
        self.parameters = parameters
        self.multiply_adds = multiply_adds

    def compute_output_spec(self, images):
        """Return the features of a batch as they would be."""
        return keras.KerasTensor((images.shape[0], *self.shape), "float32")

    def count_params(self):
        """Return the number of the backbone's parameters."""
        return self.parameters

    def get_config(self):
        """Return the arguments of the constructor."""
        own = {name: getattr(self, name) for name in ("shape", "parameters", "multiply_adds")}
        return {**super().get_config(), **own}


def build_stored_backbone(
    shape: tuple[int, int, int],
    features: tuple[int, ...],
    parameters: int,
    multiply_adds: int | None = None,
) -> keras.Model:
    """Build a model in place of a backbone whose features are stored (:class:`StoredFeatures`).

    Args:
        shape: (height, width, 3) of the images.
        features: Shape of the features of an image.
        parameters: Number of the backbone's parameters; 0 where it is not known.
        multiply_adds: Those of the backbone for one image; None where they are not known.
    """
    image = keras.Input(shape, name="image")
    layer = StoredFeatures(features, parameters, multiply_adds, name="backbone")
    return keras.Model(image, layer(image), name="stored_features")


def count_parameters(backbone: keras.Model) -> int:
    """Return the number of parameters of a backbone, those of another library among them."""
    stored = [layer for layer in backbone.layers if isinstance(layer, StoredFeatures)]
    return stored[0].parameters if stored else backbone.count_params()


def build_head(
    feature_shape: tuple,
    architecture: str,
    dense_units: Sequence[int],
    dropout: float,
    seed: int | None = None,
    classes: int = 2,
) -> keras.Model:
    """Build the classifier of a network: the new top of a backbone (thesis 4.7).

    Args:
        feature_shape: Shape of one image's features, (channels,) or (rows, columns, channels).
        architecture: Name of the network.
        dense_units: Widths of the hidden layers.
        dropout: Share of dropped inputs of the last layer; 0 for no dropout.
        seed: Seed of start weights and dropout; None continues Keras' own stream.
        classes: Number of classes.

    Returns:
        A model that ends in one softmax neuron per class. For two classes the simple CNN ends in
        one sigmoid neuron.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    layers = [keras.Input(feature_shape, name="features")]
    if len(feature_shape) > 1:
        layers.append(keras.layers.Flatten(name="flatten"))
    for number, width in enumerate(dense_units, start=1):
        name = f"dense_{number}" if len(dense_units) > 1 else "dense"
        layers.append(keras.layers.Dense(width, activation="relu", name=name))
    if dropout:
        layers.append(keras.layers.Dropout(dropout, name="dropout"))
    one_neuron = classes == 2 and is_simple_cnn(architecture)
    neurons, activation = (1, "sigmoid") if one_neuron else (classes, "softmax")
    # Probabilities are float32 in mixed precision too: half precision rounds 0.9998 to 1.
    classifier = keras.layers.Dense(
        neurons, activation=activation, dtype="float32", name="classifier"
    )
    return keras.Sequential([*layers, classifier], name="head")


def load_backbone_weights(backbone: keras.Model, path: str | Path) -> None:
    """Load a backbone's start weights.

    Raises:
        InputError: The file is missing or was not written for this backbone.
    """
    if not is_file(path):
        raise InputError(f"weights: the file {path} does not exist; see resources/README.md")
    try:
        backbone.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"weights: {path} does not hold the weights of {backbone.name} without its top, "
            f"expected a Keras .weights.h5 file of this network: {error}"
        ) from error


def class_probabilities(output: np.ndarray) -> np.ndarray:
    """Return the probability of every class, float64 (n, classes), from a network's output.

    Args:
        output: (n, 1) of one sigmoid neuron, the probability of the last of two classes, or
            (n, classes) of softmax neurons.
    """
    output = np.asarray(output, dtype="float64")
    return np.hstack([1.0 - output, output]) if output.shape[1] == 1 else output


def describe_layers(network: Network) -> list[dict]:
    """List a network's layers for its schematic (thesis Figs. 4.6-4.8).

    Returns:
        One dict per layer: name, kind, output_shape such as ``"60x60x128"``, parameters,
        trained_parameters, multiply_adds for one image (None for a layer without a formula, see
        :mod:`blastfold.networks.multiply_adds`), trainable (0 or 1) and block, the stage of the
        network that the layer belongs to.
    """
    parts = (network.backbone, network.head)
    rows = []
    for part in parts:
        for layer in part.layers:
            if isinstance(layer, keras.layers.InputLayer) and part is not parts[0]:
                continue
            rows.append(
                {
                    "name": layer.name,
                    "kind": type(layer).__name__,
                    "output_shape": "x".join(map(str, layer.output.shape[1:])),
                    "parameters": layer.count_params(),
                    "trained_parameters": _count(layer.trainable_weights),
                    "multiply_adds": _multiply_adds(layer),
                    "trainable": int(bool(layer.trainable_weights)),
                    "block": layer_block(layer.name) if part is network.backbone else layer.name,
                }
            )
    return rows


def _count(weights: Sequence[keras.Variable]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _multiply_adds(layer: keras.layers.Layer) -> int | None:
    # A layer that cannot be counted must not end a training.
    try:
        return multiply_adds(layer)
    except UncountedLayerError as error:
        logger.warning("%s", error)
        return None


def layer_block(name: str) -> str:
    """Return the stage of a network that a layer belongs to, by the layer's name."""
    # keras.applications name layers <stage>_<layer>: block3_conv2, conv4_block12_1_conv, ...
    stage = re.match(r"(pool\d+|conv\d+(?=_block)|block\d+[a-z]?|block_\d+|stage_?\d+)", name)
    return stage.group(0) if stage else re.sub(r"_(conv|bn|relu|pad|act|pool).*$", "", name)
