"""The networks: the thesis' simple CNN and every network of keras.applications with a head."""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.errors import InputError
from blastfold.layers import ImageNetScaling, MeanImageSubtraction

SIMPLE_CNN = "simplecnn"
VGG_DEFAULTS = {"pooling": "flatten", "dense_units": [256], "dropout": 0.5}
BACKBONE_DEFAULTS = {"pooling": "average", "dense_units": [], "dropout": 0.0}


class Network(NamedTuple):
    """A network in its two parts, each a Keras model.

    Attributes:
        backbone: From pre-processed images (h, w, 3) to features: averaged (channels,) or whole
            maps (rows, columns, channels); None for the simple CNN.
        head: From features (images for the simple CNN) to the output: one sigmoid neuron
            with the probability of blast, or two softmax neurons (normal, blast).
        application: Module of keras.applications that the backbone comes from, or None.
    """

    backbone: keras.Model | None
    head: keras.Model
    application: str | None

    @property
    def whole(self) -> keras.Model:
        """The network from pre-processed images to the output."""
        if self.backbone is None:
            return self.head
        features = self.backbone.output
        return keras.Model(self.backbone.input, self.head(features), name="network")


def find_application(architecture: str) -> tuple[str, str]:
    """Find a network of keras.applications by name; case, ``_`` and ``-`` do not matter.

    Returns:
        The function's name and its module's name, for instance ``("VGG19", "vgg19")``.

    Raises:
        InputError: When there is no such network; lists what there is.
    """
    networks = {
        _plain(name): name
        for name, member in inspect.getmembers(keras.applications)
        if inspect.isfunction(member)
    }
    wanted = _plain(architecture)
    if wanted not in networks:
        raise InputError(
            f"architecture: received {architecture!r}, expected simple_cnn or one of "
            f"keras.applications: {', '.join(sorted(networks.values()))}"
        )
    name = networks[wanted]
    return name, getattr(keras.applications, name).__module__.rsplit(".", 1)[-1]


def build_network(settings: dict, shape: tuple[int, int, int]) -> Network:
    """Build a network as the config's model entry describes it, with random start weights.

    Args:
        settings: The model entry with its defaults.
        shape: (height, width, 3) of the images.

    Returns:
        The network; the backbone is frozen when ``train`` is ``head``.

    Raises:
        InputError: When the architecture is unknown or cannot take images of this size.
    """
    if _plain(settings["architecture"]) == SIMPLE_CNN:
        return Network(None, build_simple_cnn(shape), None)
    name, module = find_application(settings["architecture"])
    head_settings = {**head_defaults(name), **settings}
    # Averaging belongs to the backbone, so that features which are kept are vectors, not maps.
    pooling = "avg" if head_settings["pooling"] == "average" else None
    try:
        backbone = getattr(keras.applications, name)(
            include_top=False, weights=None, input_shape=shape, pooling=pooling
        )
    except ValueError as error:
        raise InputError(
            f"architecture {name} cannot take images of {shape[0]}x{shape[1]} pixels "
            f"(image_size of the data set): {error}"
        ) from error
    backbone.trainable = settings["train"] != "head"
    head = build_head(backbone.output.shape[1:], head_settings)
    return Network(backbone, head, module)


def build_simple_cnn(shape: tuple[int, int, int]) -> keras.Model:
    """Build the thesis' simple CNN (Fig. 4.8): 59,075,905 parameters at 257x257x3."""
    if min(shape[:2]) < 18:
        raise InputError(
            f"simple_cnn: received image_size {list(shape[:2])}, expected at least 18x18 pixels"
        )
    layers = [keras.Input(shape, name="image")]
    for number, filters in enumerate((32, 64), start=1):
        name = f"convolution_{number}"
        layers.append(keras.layers.Conv2D(filters, 3, activation="relu", name=name))
        layers.append(keras.layers.MaxPooling2D(name=f"pooling_{number}"))
    layers.append(keras.layers.Conv2D(128, 3, activation="relu", name="convolution_3"))
    layers.append(keras.layers.Flatten(name="flatten"))
    layers.append(keras.layers.Dense(128, activation="relu", name="dense"))
    layers.append(keras.layers.Dense(1, activation="sigmoid", name="classifier"))
    return keras.Sequential(layers, name="simple_cnn")


def build_head(feature_shape: tuple, settings: dict) -> keras.Model:
    """Build the classifier that takes the place of a backbone's top (thesis 4.7).

    Args:
        feature_shape: Shape of one image's features, (channels,) or (rows, columns, channels).
        settings: ``dense_units`` and ``dropout``.

    Returns:
        A model that ends in two softmax neurons, normal and blast.
    """
    layers = [keras.Input(feature_shape, name="features")]
    if len(feature_shape) > 1:
        layers.append(keras.layers.Flatten(name="flatten"))
    for number, units in enumerate(settings["dense_units"], start=1):
        layers.append(keras.layers.Dense(units, activation="relu", name=f"dense_{number}"))
    if settings["dropout"]:
        layers.append(keras.layers.Dropout(settings["dropout"], name="dropout"))
    layers.append(keras.layers.Dense(2, activation="softmax", name="classifier"))
    return keras.Sequential(layers, name="head")


def head_defaults(application: str) -> dict:
    """Return the head that a backbone has when the config says nothing about it."""
    return VGG_DEFAULTS if application.startswith("VGG") else BACKBONE_DEFAULTS


def load_backbone_weights(backbone: keras.Model, path: str | Path) -> None:
    """Load a backbone's start weights.

    Raises:
        InputError: When the file is missing or was not written for this backbone.
    """
    if not Path(path).is_file():
        raise InputError(f"weights: the file {path} does not exist; see resources/README.md")
    try:
        backbone.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise InputError(
            f"weights: {path} does not hold the weights of {backbone.name} without its top, "
            f"expected a Keras .weights.h5 file of this very network: {error}"
        ) from error


def build_preprocessing(settings: dict, network: Network, mean_image: np.ndarray) -> keras.Model:
    """Build what comes between a stored image and the network.

    Args:
        settings: The model entry; ``preprocessing`` is ``mean_image`` or ``imagenet``.
        network: The network that the images go to.
        mean_image: float32 (height, width, 3) mean of the fold's training images.

    Raises:
        InputError: When ImageNet's scaling is asked for a network that never had ImageNet weights.
    """
    image = keras.Input(mean_image.shape, name="image")
    if settings["preprocessing"] == "imagenet":
        if network.application is None:
            raise InputError(
                "preprocessing: received 'imagenet', expected 'mean_image': "
                "simple_cnn has no ImageNet weights"
            )
        return keras.Model(image, ImageNetScaling(network.application)(image), name="scaling")
    subtraction = MeanImageSubtraction(mean_image.shape)
    preprocessing = keras.Model(image, subtraction(image), name="mean_subtraction")
    subtraction.set_mean_image(mean_image)
    return preprocessing


def blast_probability(output: np.ndarray) -> np.ndarray:
    """Return the probability of blast, float64 (n,), from either kind of network output."""
    return np.asarray(output, dtype="float64")[:, -1]


def describe_layers(network: Network) -> list[dict]:
    """List a network's layers for its schematic (thesis Figs. 4.6-4.8).

    Returns:
        One dict a layer: name, kind, output_shape such as ``"60x60x128"``, parameters,
        trainable (0 or 1) and block, the stage of the network that the layer belongs to.
    """
    parts = [part for part in (network.backbone, network.head) if part is not None]
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
                    "trainable": int(bool(layer.trainable_weights)),
                    "block": _block(layer.name) if part is network.backbone else layer.name,
                }
            )
    return rows


def _block(name: str) -> str:
    # keras.applications name layers <stage>_<layer>: block3_conv2, conv4_block12_1_conv, ...
    stage = re.match(r"(pool\d+|conv\d+(?=_block)|block\d+[a-z]?|block_\d+|stage_?\d+)", name)
    return stage.group(0) if stage else re.sub(r"_(conv|bn|relu|pad|act|pool).*$", "", name)


def _plain(name: str) -> str:
    return re.sub(r"[_-]", "", name.lower())
