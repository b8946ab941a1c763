"""The networks: the thesis' simple CNN and every network of keras.applications with a head."""

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import InputError

SIMPLE_CNN = "simplecnn"
SIMPLE_CNN_HEAD = {"pooling": "flatten", "dense_units": [128], "dropout": 0.0}
VGG_DEFAULTS = {"pooling": "flatten", "dense_units": [256], "dropout": 0.5}
BACKBONE_DEFAULTS = {"pooling": "average", "dense_units": [], "dropout": 0.0}


class Network(NamedTuple):
    """A network in its two parts, each a Keras model.

    Attributes:
        backbone: From pre-processed images (h, w, 3) to features: averaged (channels,) or whole
            maps (rows, columns, channels), as the simple CNN has them.
        head: From features to the output: one sigmoid neuron with the probability of blast for
            the simple CNN, or two softmax neurons (normal, blast).
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
        InputError: When there is no such network; lists what there is.
    """
    networks = {
        plain_name(name): name
        for name, member in inspect.getmembers(keras.applications)
        if inspect.isfunction(member)
    }
    wanted = plain_name(architecture)
    if wanted not in networks:
        raise InputError(
            f"architecture: received {architecture!r}, expected simple_cnn or one of "
            f"keras.applications: {', '.join(sorted(networks.values()))}"
        )
    name = networks[wanted]
    return name, getattr(keras.applications, name).__module__.rsplit(".", 1)[-1]


def build_network(
    settings: dict,
    shape: tuple[int, int, int],
    backbone_seed: int | None = None,
    head_seed: int | None = None,
) -> Network:
    """Build a network as the config's model entry describes it, with random start weights.

    Args:
        settings: The model entry with its defaults.
        shape: (height, width, 3) of the images.
        backbone_seed: Seed of the backbone's start weights; None continues the global generator.
        head_seed: Seed of the head's start weights and of its dropout; None continues the
            global generator. With its own seed a head starts the same with or without a backbone.

    Returns:
        The network; the backbone is frozen when ``train`` is ``head``.

    Raises:
        InputError: When the architecture is unknown or cannot take images of this size.
    """
    backbone, application = build_backbone(settings, shape, backbone_seed)
    head = build_head(backbone.output.shape[1:], settings, head_seed)
    return Network(backbone, head, application)


def build_backbone(
    settings: dict, shape: tuple[int, int, int], seed: int | None = None
) -> tuple[keras.Model, str | None]:
    """Build the part of a network that makes features of images (see :func:`build_network`).

    Returns:
        The backbone and the module of keras.applications that it comes from, None for the simple
        CNN.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    if is_simple_cnn(settings["architecture"]):
        backbone, module = build_convolutions(shape), None
    else:
        name, module = find_application(settings["architecture"])
        # Averaging belongs to the backbone, so that features which are kept are vectors, not maps.
        pooling = head_settings(settings)["pooling"]
        try:
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
    backbone.trainable = settings["train"] != "head"
    return backbone, module


def is_simple_cnn(architecture: str) -> bool:
    """Return whether a name is that of the thesis' simple CNN; case, ``_``, ``-`` are ignored."""
    return plain_name(architecture) == SIMPLE_CNN


def build_convolutions(shape: tuple[int, int, int]) -> keras.Model:
    """Build the convolutional part of the thesis' simple CNN (Fig. 4.8).

    With its head it has 59,075,905 parameters at 257x257x3.
    """
    if min(shape[:2]) < 18:
        raise InputError(
            f"simple_cnn: received image_size {list(shape[:2])}, expected at least 18x18 pixels"
        )
    image = maps = keras.Input(shape, name="image")
    for number, filters in enumerate((32, 64), start=1):
        convolution = keras.layers.Conv2D(
            filters, 3, activation="relu", name=f"convolution_{number}"
        )
        maps = keras.layers.MaxPooling2D(name=f"pooling_{number}")(convolution(maps))
    maps = keras.layers.Conv2D(128, 3, activation="relu", name="convolution_3")(maps)
    return keras.Model(image, maps, name="simple_cnn")


def build_head(feature_shape: tuple, settings: dict, seed: int | None = None) -> keras.Model:
    """Build the classifier of a network: a backbone's new top (thesis 4.7), the simple CNN's own.

    Args:
        feature_shape: Shape of one image's features, (channels,) or (rows, columns, channels).
        settings: The model entry; see :func:`head_settings`.
        seed: Seed of start weights and dropout; None continues the global generator.

    Returns:
        A model that ends in two softmax neurons, normal and blast; for the simple CNN in one
        sigmoid neuron.
    """
    if seed is not None:
        keras.utils.set_random_seed(seed)
    chosen = head_settings(settings)
    units = chosen["dense_units"]
    layers = [keras.Input(feature_shape, name="features")]
    if len(feature_shape) > 1:
        layers.append(keras.layers.Flatten(name="flatten"))
    for number, width in enumerate(units, start=1):
        name = f"dense_{number}" if len(units) > 1 else "dense"
        layers.append(keras.layers.Dense(width, activation="relu", name=name))
    if chosen["dropout"]:
        layers.append(keras.layers.Dropout(chosen["dropout"], name="dropout"))
    neurons, activation = (
        (1, "sigmoid") if is_simple_cnn(settings["architecture"]) else (2, "softmax")
    )
    # In mixed precision probabilities stay whole: half precision rounds 0.9998 to 1.
    classifier = keras.layers.Dense(
        neurons, activation=activation, dtype="float32", name="classifier"
    )
    return keras.Sequential([*layers, classifier], name="head")


def head_settings(settings: dict) -> dict:
    """Fill in the head that an architecture has where the config says nothing about it."""
    if is_simple_cnn(settings["architecture"]):
        return {**settings, **SIMPLE_CNN_HEAD}
    return {**head_defaults(find_application(settings["architecture"])[0]), **settings}


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


def blast_probability(output: np.ndarray) -> np.ndarray:
    """Return the probability of blast, float64 (n,), from either kind of network output."""
    return np.asarray(output, dtype="float64")[:, -1]


def describe_layers(network: Network) -> list[dict]:
    """List a network's layers for its schematic (thesis Figs. 4.6-4.8).

    Returns:
        One dict a layer: name, kind, output_shape such as ``"60x60x128"``, parameters,
        trainable (0 or 1) and block, the stage of the network that the layer belongs to.
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
                    "trainable": int(bool(layer.trainable_weights)),
                    "block": layer_block(layer.name) if part is network.backbone else layer.name,
                }
            )
    return rows


def layer_block(name: str) -> str:
    """Return the stage of a network that a layer belongs to, by the layer's name."""
    # keras.applications name layers <stage>_<layer>: block3_conv2, conv4_block12_1_conv, ...
    stage = re.match(r"(pool\d+|conv\d+(?=_block)|block\d+[a-z]?|block_\d+|stage_?\d+)", name)
    return stage.group(0) if stage else re.sub(r"_(conv|bn|relu|pad|act|pool).*$", "", name)


def plain_name(name: str) -> str:
    """Return a name without case, ``_`` and ``-``, which do not matter in the config."""
    return re.sub(r"[_-]", "", name.lower())
