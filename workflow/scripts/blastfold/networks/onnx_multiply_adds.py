"""Multiply-adds of an ONNX graph, counted as those of Keras layers (``multiply_adds.py``)."""

import math
from collections.abc import Mapping, Sequence

import onnx

from blastfold.core.errors import BlastfoldError

PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""Operators that are counted; a product of two activations, as in attention, is one too."""

UNCOUNTED = (
    *("Add", "And", "BatchNormalization", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape"),
    *("Div", "Equal", "Expand", "Flatten", "Gather", "GatherND", "Greater", "GroupNormalization"),
    *("Identity", "InstanceNormalization", "LayerNormalization", "Less", "Max", "Min", "Mul"),
    *("Neg", "PRelu", "Pad", "Pow", "RMSNormalization", "Range", "Reciprocal", "ReduceMax"),
    *("ReduceMean", "ReduceSum", "Reshape", "Resize", "Slice", "Split", "Squeeze", "Sub", "Tile"),
    *("Transpose", "Unsqueeze", "Where"),
)
"""Operators that may have constants and that published counts leave out."""

REFUSED = ("Attention", "Einsum", "MatMulInteger", "ConvInteger")
"""Operators that multiply activations: without constants nothing else would show them."""

WEIGHTS = (
    *(onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16),
    *(onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE),
)
"""Types of constants that are parameters; integers are shapes and places."""


class UncountedOperatorError(BlastfoldError):
    """An operator multiplies by constants in a way that has no formula here, or has no shape.

    Attributes:
        kind: Its type.
    """

    def __init__(self, node: onnx.NodeProto, why: str):
        self.kind = node.op_type
        super().__init__(f"multiply-adds: the operator {node.op_type} ({node.name}) {why}")


def count_parameters(model: onnx.ModelProto) -> int:
    """Return the number of parameters of a graph: of its constants that are no integers.

    A converter may have folded the four numbers of a batch normalisation into the convolution
    before it, so that there are fewer than in the network that the graph was made from.
    """
    tensors = [tensor for tensor in model.graph.initializer if tensor.data_type in WEIGHTS]
    return sum(math.prod(tensor.dims) for tensor in tensors)


def onnx_multiply_adds(model: onnx.ModelProto, shape: Sequence[int]) -> int:
    """Count the multiply-adds of a graph with one input, for one image.

    Args:
        model: The model, which is not changed.
        shape: Shape of the input without the batch, in the order of the graph.

    Raises:
        UncountedOperatorError: An operator has no formula, or the shape of its output is not known.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    constants = {tensor.name: tuple(tensor.dims) for tensor in fixed.graph.initializer}
    constants |= {
        node.output[0]: tuple(field.t.dims)
        for node in fixed.graph.node
        for field in node.attribute
        if node.op_type == "Constant" and field.HasField("t")
    }
    [image] = [value for value in fixed.graph.input if value.name not in constants]
    for dimension, size in zip(image.type.tensor_type.shape.dim, (1, *shape), strict=True):
        dimension.dim_value = size
    # Shapes that were inferred for other sizes would contradict those of this one.
    del fixed.graph.value_info[:]
    for value in fixed.graph.output:
        value.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(fixed, data_prop=True).graph
    shapes = {value.name: _shape_of(value) for value in (*graph.value_info, *graph.output)}
    shapes |= {image.name: (1, *shape), **constants}
    return sum(_count(node, shapes, constants) for node in graph.node)


def _count(node: onnx.NodeProto, shapes: Mapping, constants: Mapping) -> int:
    if node.op_type not in PRODUCTS:
        weights = [constants[name] for name in node.input if math.prod(constants.get(name, ())) > 1]
        nested = any(attribute.HasField("g") for attribute in node.attribute)
        foreign = node.domain not in ("", "ai.onnx") or node.op_type in REFUSED
        if nested or foreign or (weights and node.op_type not in UNCOUNTED):
            raise UncountedOperatorError(node, "has no formula")
        return 0
    first, second = (shapes.get(name) for name in node.input[:2])
    output = shapes.get(node.output[0])
    if None in (first, second, output):
        raise UncountedOperatorError(node, "has no known shape")
    if node.op_type == "Conv":
        # (filters, channels of a group, height, width) at every place of the output.
        return math.prod(output[2:]) * math.prod(second)
    if node.op_type == "ConvTranspose":
        return math.prod(first[2:]) * math.prod(second)
    transposed = any(field.name == "transA" and field.i for field in node.attribute)
    return math.prod(output) * first[0 if transposed else -1]


def _shape_of(value: onnx.ValueInfoProto) -> tuple[int, ...] | None:
    sizes = value.type.tensor_type.shape.dim
    known = all(size.HasField("dim_value") for size in sizes)
    return tuple(size.dim_value for size in sizes) if known else None
