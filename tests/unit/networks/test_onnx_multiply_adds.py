"""Multiply-adds of ONNX graphs, against counts by hand."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from blastfold.networks.onnx_multiply_adds import UncountedOperatorError, onnx_multiply_adds


def graph(nodes, weights, shape=("n", 3, 9, 8), rank=2):
    """A model of some operators from ``image`` to ``output``."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, [None] * rank)
    constants = [
        numpy_helper.from_array(np.zeros(size, dtype="float32"), name)
        for name, size in weights.items()
    ]
    made = helper.make_graph(nodes, "graph", [image], [output], constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])


def node(kind, inputs, output="output", **attributes):
    return helper.make_node(kind, inputs, [output], **attributes)


def test_convolutions_and_a_dense_layer_are_counted_by_hand():
    nodes = [
        # 3x3 with a stride of 2 and padding: 5x4 places.
        node("Conv", ["image", "k", "b"], "a", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["a"], "r"),
        # Depthwise: each of the 6 channels has its own kernel.
        node("Conv", ["r", "d"], "c", group=6, pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", ["c"], "p"),
        node("Flatten", ["p"], "f"),
        node("Gemm", ["f", "w"], transB=1),
    ]
    weights = {"k": (6, 3, 3, 3), "b": (6,), "d": (6, 1, 3, 3), "w": (10, 6)}
    expected = 5 * 4 * 27 * 6 + 5 * 4 * 9 * 6 + 6 * 10
    model = graph(nodes, weights)
    assert onnx_multiply_adds(model, (3, 9, 8)) == expected
    # The model keeps its batch of any size.
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"


def test_attention_multiplies_activations():
    # 5 tokens of 4 numbers: the products of all pairs, and those with the weights.
    nodes = [
        node("Transpose", ["image"], "t", perm=[0, 2, 1]),
        node("MatMul", ["image", "t"], "pairs"),
        node("Softmax", ["pairs"], "shares"),
        node("MatMul", ["shares", "image"], "mixed"),
        node("MatMul", ["mixed", "w"]),
    ]
    model = graph(nodes, {"w": (4, 7)}, shape=("n", 5, 4), rank=3)
    assert onnx_multiply_adds(model, (5, 4)) == 5 * 5 * 4 + 5 * 4 * 5 + 5 * 4 * 7


def test_the_size_of_the_image_decides():
    model = graph([node("Conv", ["image", "k"])], {"k": (2, 3, 1, 1)}, ("n", 3, "h", "w"), 4)
    assert onnx_multiply_adds(model, (3, 14, 28)) == 14 * 28 * 6


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([node("Strange", ["image", "k"])], r"Strange.*has no formula"),
        # Its output depends on the numbers of the image.
        (
            [node("NonZero", ["image"], "a"), node("Cast", ["a"], "f", to=TensorProto.FLOAT),
             node("MatMul", ["k", "f"])],
            r"MatMul.*has no known shape",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_counted_is_refused(nodes, words):
    with pytest.raises(UncountedOperatorError, match=words) as error:
        onnx_multiply_adds(graph(nodes, {"k": (4, 4)}), (3, 9, 8))
    assert error.value.kind in words


def test_the_graph_is_one_that_onnx_accepts():
    onnx.checker.check_model(graph([node("Conv", ["image", "k"])], {"k": (2, 3, 1, 1)}, rank=4))
