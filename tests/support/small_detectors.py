"""Detectors that can be computed by hand, as ONNX files.

The input is divided into squares of ``STEP`` pixels. Around the middle of each there is one box of
fixed size, and its score is the mean darkness of the square: 1 - red.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from blastfold.core.files import digest_file

STEP = 8


def write_detector(path, size=(64, 64), side=24.0, layout="nchw", form="yolo8", unit=1.0):
    """Write a detector of one class.

    Args:
        path: ONNX file.
        size: Height and width of its input.
        side: Of its boxes, pixels of the input.
        layout: Of its input.
        form: Of its output, as in the config.
        unit: What boxes are divided by.

    Returns:
        What a config declares of it, with all defaults.
    """
    height, width = size
    rows, columns = height // STEP, width // STEP
    down, across = np.mgrid[:rows, :columns].reshape(2, -1) * STEP + STEP / 2
    halves = np.full_like(down, side / 2, float)
    middles = np.stack([across, down, 2 * halves, 2 * halves], axis=1)
    corners = np.stack([across - halves, down - halves, across + halves, down + halves], axis=1)
    boxes = (middles if form.startswith("yolo") else corners)[None] / unit
    number = rows * columns
    values = {
        "boxes_of_all": boxes.astype(np.float32),
        "boxes_across": boxes.transpose(0, 2, 1).astype(np.float32),
        "red": np.array([0], np.int64),
        "one": np.array(1, np.float32),
        "ones": np.ones((1, number, 1), np.float32),
        "down_shape": np.array([1, number, 1], np.int64),
        "across_shape": np.array([1, 1, number], np.int64),
        "list_shape": np.array([1, number], np.int64),
        "zeros": np.zeros((1, number, 1), np.float32),
        "labels_of_all": np.ones((1, number), np.int64),
    }
    axes = [0, 3, 1, 2] if layout == "nhwc" else [0, 1, 2, 3]
    nodes = [
        helper.make_node("Transpose", ["image"], ["channels"], perm=axes),
        helper.make_node("Gather", ["channels", "red"], ["reds"], axis=1),
        helper.make_node(
            "AveragePool", ["reds"], ["mean"], kernel_shape=[STEP, STEP], strides=[STEP, STEP]
        ),
        helper.make_node("Sub", ["one", "mean"], ["dark"]),
        *_output_nodes(form),
    ]
    shape = [1, 3, *size] if layout == "nchw" else [1, *size, 3]
    names = ("boxes", "scores", "labels") if form == "lists" else ("found",)
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name == "labels" else TensorProto.FLOAT, None
            )
            for name in names
        ],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return {
        **{"file": str(path), "sha256": digest_file(path), "layout": layout, "size": list(size)},
        **{"fit": "pad", "red_cell_diameter": None, "channels": "rgb", "scale": 1 / 255},
        **{"mean": [0, 0, 0], "std": [1, 1, 1], "format": form, "unit": "pixels"},
        **{"leukocytes": None, "platelets": [], "least_score": 0.6, "most_overlap": 0.3},
    }


def _output_nodes(form):
    if form == "lists":
        return [
            helper.make_node("Identity", ["boxes_of_all"], ["boxes"]),
            helper.make_node("Reshape", ["dark", "list_shape"], ["scores"]),
            helper.make_node("Identity", ["labels_of_all"], ["labels"]),
        ]
    across = form == "yolo8"
    shape = "across_shape" if across else "down_shape"
    score = helper.make_node("Reshape", ["dark", shape], ["score"])
    parts = {
        "yolo8": ["boxes_across", "score"],
        "yolo5": ["boxes_of_all", "score", "ones"],
        "rows": ["boxes_of_all", "score", "zeros"],
    }[form]
    return [score, helper.make_node("Concat", parts, ["found"], axis=1 if across else 2)]
