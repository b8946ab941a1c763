"""Networks as ONNX files: conversion, repair of what the converter leaves invalid, and sessions.

The converter reports success for files that no runtime can load: a graph with the operation
``Erfc`` (networks with GELU), and one with inputs that nothing reads (EfficientNetB0). Both are
repaired here. Whoever converts a network must load the file and compare it.
"""

import os
from pathlib import Path

import keras
import numpy as np
import onnx

# Imported here because Keras' export imports it and hides why that fails.
import tf2onnx  # noqa: F401

from blastfold.core.files import written_whole
from blastfold.training.onnx_canonical import make_canonical

LARGEST_OF_ONE_GRAPH = 2**24
"""Parameters of a network that becomes one graph. Larger ones become two, backbone and head: the
converter holds many copies of a large dense layer (22 GB for VGG19 with its top)."""

NETWORK = "network"
"""Name of the layer of a stored model that is the network after its pre-processing."""


def split_model(model: keras.Model) -> list[keras.Model]:
    """Cut a stored model into the parts that become graphs of their own.

    Args:
        model: From stored images, uint8 (n, h, w, 3), to the output: a chain of layers, among
            them one of the name :data:`NETWORK` that ends in its head.

    Returns:
        One model, or for a network of many parameters two: from images to what the head takes, and
        from there. The last one has two outputs: that of the network, and the features that the
        last layer of its head takes.
    """
    before, after = [], []
    for layer in model.layers[1:]:
        (after if layer.name == NETWORK or after else before).append(layer)
    network, *last = after
    head = network.layers[-1]
    maps = network.layers[-2].output
    image = keras.Input(model.input_shape[1:], name="image", dtype="uint8")
    prepared = image
    for layer in before:
        prepared = layer(prepared)
    if model.count_params() <= LARGEST_OF_ONE_GRAPH:
        found = keras.Model(network.inputs, _of_head(head, maps))(prepared)
        return [keras.Model(image, _through(last, found))]
    backbone = keras.Model(network.inputs, maps)
    given = keras.Input(maps.shape[1:], name="features")
    outputs = _through(last, _of_head(head, given))
    return [keras.Model(image, backbone(prepared)), keras.Model(given, outputs)]


def _of_head(head: keras.Model, given: keras.KerasTensor) -> list[keras.KerasTensor]:
    """Return the output of a head, and what its last layer takes."""
    layers = [layer for layer in head.layers if not isinstance(layer, keras.layers.InputLayer)]
    *hidden, classifier = layers
    for layer in hidden:
        given = layer(given)
    return [classifier(given), given]


def _through(layers: list[keras.Layer], tensors: list) -> list[keras.KerasTensor]:
    for layer in layers:
        tensors = [layer(tensor) for tensor in tensors]
    return tensors


def convert(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a Keras model as an ONNX file with any number of rows in a batch.

    The same model gives the same bytes (:mod:`blastfold.training.onnx_canonical`).

    Args:
        model: A model with one input.
        path: The file to write.

    Raises:
        Exception: Of nearly any kind, where the converter does not know an operation.
    """
    # Keras exports only a model that has been called. A head takes the views of an image together.
    rows = max((layer.views for layer in model.layers if hasattr(layer, "views")), default=1)
    model(np.zeros((rows, *model.input_shape[1:]), dtype=model.inputs[0].dtype), training=False)
    with written_whole(path) as partial:
        model.export(partial, format="onnx", verbose=False)
        graph = onnx.load(partial)
        repair(graph)
        make_canonical(graph)
        onnx.save(graph, partial)


def repair(model: onnx.ModelProto) -> None:
    """Replace ``Erfc`` by 1 - ``Erf`` and remove inputs that nothing reads, in place."""
    graph = model.graph
    nodes = [part for node in graph.node for part in _known(node)]
    del graph.node[:]
    graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    inputs = [given for given in graph.input if given.name in read]
    del graph.input[:]
    graph.input.extend(inputs)


def _known(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes that replace a node; the node itself where ONNX knows its operation."""
    if node.op_type != "Erfc":
        return [node]
    one, error = f"{node.output[0]}_one", f"{node.output[0]}_erf"
    value = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, (), [1.0])
    return [
        onnx.helper.make_node("Constant", [], [one], value=value),
        onnx.helper.make_node("Erf", list(node.input), [error]),
        onnx.helper.make_node("Sub", [one, error], list(node.output)),
    ]


def graph_files(folder: Path, fold: int, parts: int) -> list[Path]:
    """Return the ONNX files of a fold's network: one, or its backbone and its head."""
    if parts == 1:
        return [folder / f"fold-{fold}.onnx"]
    return [folder / f"fold-{fold}.{part}.onnx" for part in ("backbone", "head")]
