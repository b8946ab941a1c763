"""Grad-CAM: where in an image the feature maps lie that raise the score of a class.

Selvaraju et al. (2017), Grad-CAM: Visual explanations from deep networks via gradient-based
localization, ICCV, equations 1 and 2: the weight of a feature map is the mean over its places of
the gradient of the class's score (before softmax or sigmoid); the attribution is the weighted sum
of the maps, of which only positive values count.

The gradient is that with respect to something that is added to the output of one layer. This
works for every network, also where a backbone is a layer of it, and with every backend of Keras: a
stored image is uint8 and has no gradient itself.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import InputError
from blastfold.networks.prediction_views import PredictionViews
from blastfold.training.device import framework

IMAGES_AT_ONCE = 8
"""Images whose feature maps and gradients are in memory together."""

CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)

FEWEST_PLACES = 2
"""Rows and columns of maps that show a place."""


class NoFeatureMapsError(InputError):
    """A network without maps that could show a place."""


class Places(NamedTuple):
    """The layers of a network that Grad-CAM is about.

    Attributes:
        maps: The layer whose output is the last feature maps before they lose their places.
        classifier: The last layer, whose input gives the scores of the classes.
        views: Views of each image that the network predicts by.
    """

    maps: keras.layers.Layer
    classifier: keras.layers.Layer
    views: int


def find_places(model: keras.Model) -> Places:
    """Find the last feature maps of a network and its classifier.

    The maps are those of the last convolution, after the normalisation, activation and additions
    that follow it at the same size.

    Raises:
        NoFeatureMapsError: There is no convolution, or its maps have one row or one column.
    """
    layers = list(leaf_layers(model))
    convolutions = [place for place, layer in enumerate(layers) if isinstance(layer, CONVOLUTIONS)]
    if not convolutions:
        raise NoFeatureMapsError(f"{model.name}: has no convolution, so no maps show a place")
    size = layers[convolutions[-1]].output.shape[1:3]
    if min(size) < FEWEST_PLACES:
        raise NoFeatureMapsError(
            f"{model.name}: its last maps have {size[0]}x{size[1]} places, expected at least "
            f"{FEWEST_PLACES} each way. Use larger images"
        )
    following = layers[convolutions[-1] :]
    maps = [layer for layer in following if _shape(layer)[1:3] == size and len(_shape(layer)) == 4]
    views = [layer.views for layer in layers if isinstance(layer, PredictionViews)]
    classifier = [layer for layer in layers if isinstance(layer, keras.layers.Dense)][-1]
    return Places(maps[-1], classifier, views[0] if views else 1)


def leaf_layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model in their order, and in place of a model its layers."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from leaf_layers(layer)
        else:
            yield layer


def class_maps(
    model: keras.Model, places: Places, images: np.ndarray, classes: Sequence[int]
) -> np.ndarray:
    """Compute the attribution of one class for every image.

    Args:
        model: The network, from stored images to probabilities.
        places: Its layers, from :func:`find_places`.
        images: uint8 (n, h, w, 3).
        classes: (n,) index of the class of each image whose score is explained.

    Returns:
        float32 (n, rows, columns) of the feature maps' size: the weighted sum before negative
        values are set to 0, which is the last step of Grad-CAM.
    """
    classes = np.asarray(classes)
    found = [
        _maps_of_batch(model, places, images[start:stop], classes[start:stop])
        for start, stop in _slices(len(images))
    ]
    return np.concatenate(found)


def _maps_of_batch(
    model: keras.Model, places: Places, images: np.ndarray, classes: np.ndarray
) -> np.ndarray:
    layer, classifier, views = places
    ops = keras.ops

    def score(added):
        seen = []

        def add(output):
            seen.append(output)
            return output + ops.cast(added, output.dtype)

        with replaced_output(layer, add), raw_scores(classifier):
            scores = ops.cast(model(images, training=False), "float32")
        return ops.sum(scores * _signs(classes, scores.shape[-1])), seen[0]

    shape = (len(images) * views, *layer.output.shape[1:])
    gradient, maps = framework.gradient(score, ops.zeros(shape, "float32"))
    # Of several views the first one is the image itself.
    gradient, maps = (
        np.asarray(ops.convert_to_numpy(ops.cast(array, "float32")))[::views]
        for array in (gradient, maps)
    )
    weights = gradient.mean(axis=(1, 2))
    return np.einsum("nrcf,nf->nrc", maps, weights)


def _signs(classes: np.ndarray, neurons: int) -> np.ndarray:
    """Return what picks the score of each image's class: float32 (n, neurons).

    One neuron has the score of the last of two classes, whose negative is that of the other one.
    """
    if neurons == 1:
        return np.where(classes == 1, 1.0, -1.0).astype("float32")[:, np.newaxis]
    return np.eye(neurons, dtype="float32")[classes]


@contextlib.contextmanager
def replaced_output(layer: keras.layers.Layer, change: Callable) -> Iterator[None]:
    """Let a layer return what a function makes of its output."""
    call = layer.call
    layer.call = lambda *inputs, **options: change(call(*inputs, **options))
    try:
        yield
    finally:
        layer.call = call


@contextlib.contextmanager
def raw_scores(classifier: keras.layers.Layer) -> Iterator[None]:
    """Let a classifier return scores in place of probabilities."""
    activation = classifier.activation
    classifier.activation = keras.activations.linear
    try:
        yield
    finally:
        classifier.activation = activation


def randomise(layers: Sequence[keras.layers.Layer], seed: int) -> None:
    """Give layers new random weights in place of theirs.

    Kernels are drawn as by Glorot and Bengio (2010), Keras' default; normalisation begins as in a
    new network. What was fitted on images before the network, such as a mean image, stays.
    """
    fresh = {"gamma": 1.0, "moving_variance": 1.0, "beta": 0.0, "moving_mean": 0.0, "bias": 0.0}
    for place, layer in enumerate(layers):
        for weight in layer.weights:
            if "kernel" in weight.name:
                draw = keras.initializers.GlorotUniform((seed + place) % 2**31)
                weight.assign(draw(weight.shape, dtype=weight.dtype))
            elif weight.name in fresh:
                weight.assign(np.full(weight.shape, fresh[weight.name], dtype="float32"))


def _slices(count: int) -> Iterator[tuple[int, int]]:
    for start in range(0, count, IMAGES_AT_ONCE):
        yield start, min(start + IMAGES_AT_ONCE, count)


def _shape(layer: keras.layers.Layer) -> tuple:
    return tuple(getattr(layer.output, "shape", ()))
