"""Exports whose networks can be computed by hand: logistic in the mean colour, as ONNX files.

They are written without Keras, so that tests of applications need not start TensorFlow.
"""

import json

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from blastfold.core.files import digest_file
from blastfold.training.feature_domain import fit_domain, unit_vectors, write_domains

SLOPES = (0.1, -0.06)
MIDDLES = (150.0, 170.0)
"""Of the mean red in the networks of two folds."""


def write_network(path, slope, middle, size):
    """Write a network: sigmoid(slope * (mean red - middle)), and mean red, green and blue."""
    values = {
        "red": np.array([[slope], [0], [0]], np.float32),
        "shift": np.array([-slope * middle], np.float32),
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["levels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["levels", "axes"], ["features"], keepdims=0),
        helper.make_node("MatMul", ["features", "red"], ["product"]),
        helper.make_node("Add", ["product", "shift"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", *size, 3])],
        [
            helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)


def write_export(folder, folds=(0, 1), size=(32, 32), temperature=2.0, learnt=(), **image):
    """Write the folder of an export.

    Args:
        folder: Where.
        folds: Their networks have the slopes and middles above.
        size: Height and width of the images.
        temperature: Of every fold.
        learnt: SHA-256 of training images.
        image: Further keys of what the description says of the training images.
    """
    (folder / "networks").mkdir(parents=True)
    random = np.random.default_rng(5)
    domains, networks = {}, []
    for fold in folds:
        graph = folder / "networks" / f"fold-{fold}.onnx"
        write_network(graph, SLOPES[fold], MIDDLES[fold], size)
        domains[fold] = fit_domain(
            unit_vectors(random.normal((170, 120, 180), 6, (200, 3))), np.arange(200)
        )
        networks.append(
            {
                **{"fold": fold, "graphs": {graph.name: digest_file(graph)}, "note": ""},
                **{"temperature": temperature, "temperature_note": ""},
                "domain": {"images": 200, "quantile": 0.99, "test_images_beyond": 0.01},
            }
        )
    write_domains(domains, folder / "domain.npz")
    description = {
        **{"model": "small", "dataset": "cells", "protocol": "folds", "format": 1},
        "classes": ["normal", "blast"],
        "image": {"size": list(size), "crop": None, "decoder": "OpenCV", **image},
        "networks": networks,
        "note": "",
        "thresholds": {"threshold-0.5": 0.5},
        "versions": {"keras": "3"},
    }
    (folder / "model.json").write_text(json.dumps(description))
    table = pd.DataFrame({"sha256": list(learnt), "roles": "train", "folds": "0"})
    table.to_csv(folder / "training_images.tsv", sep="\t", index=False)
    return folder
