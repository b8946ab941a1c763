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
        The model itself, or for a network of many parameters two models: from images to features
        and from features to the output.
    """
    if model.count_params() <= LARGEST_OF_ONE_GRAPH:
        return [model]
    before, after = [], []
    for layer in model.layers[1:]:
        (after if layer.name == NETWORK or after else before).append(layer)
    network, *last = after
    features = network.layers[-2].output
    image = keras.Input(model.input_shape[1:], name="image", dtype="uint8")
    prepared = image
    for layer in before:
        prepared = layer(prepared)
    backbone = keras.Model(network.inputs, features)
    given = keras.Input(features.shape[1:], name="features")
    output = network.layers[-1](given)
    for layer in last:
        output = layer(output)
    return [keras.Model(image, backbone(prepared)), keras.Model(given, output)]


def convert(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a Keras model as an ONNX file with any number of rows in a batch.

    The same model gives the same bytes (:mod:`blastfold.training.onnx_canonical`).

    Args:
        model: A model with one input and one output.
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
