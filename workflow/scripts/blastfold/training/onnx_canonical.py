"""ONNX files that are equal byte for byte whenever the same network is converted.

The converter numbers tensors by counters of its process and orders constants by chance, so that two
conversions of one network have other digests. Here a graph gets an order and names that depend on
its operations and constants alone.
"""

import onnx

GRAPH, TENSOR, CONSTANT = "network", "tensor", "constant"
"""Name of a canonical graph, and the names of its tensors without their numbers."""


def make_canonical(model: onnx.ModelProto) -> None:
    """Give a model the order and the names that any other one of the same network gets, in place.

    Nodes come in the order in which the outputs need them, depth first; tensors and constants are
    numbered in the order of their first use; equal constants become one. Nodes that no output
    needs, stored shapes of tensors in between, and descriptions are removed. The names of inputs
    and outputs stay, those of their axes do not.

    A model with graphs inside of nodes (loops, conditions) is left as it is.
    """
    graph = model.graph
    if any(field.HasField("g") or field.graphs for node in graph.node for field in node.attribute):
        return
    constants = _without_copies(graph)
    nodes = _in_order(graph)
    kept = {value.name for value in (*graph.input, *graph.output)}
    names = {name: name for name in kept} | {"": ""}
    used = []
    for number, node in enumerate(nodes):
        for name in node.input:
            if name not in names:
                names[name] = f"{CONSTANT}_{len(used)}"
                used.append(name)
        for place, name in enumerate(node.output):
            if name and name not in names:
                names[name] = f"{TENSOR}_{number}" + (f"_{place}" if place else "")
        _rename(node, f"{node.op_type}_{number}", names)
    # A constant may be an input or an output itself.
    used += sorted(kept.intersection(constants))
    weights = [constants[name] for name in used]
    for tensor in weights:
        tensor.name = names[tensor.name]
        tensor.doc_string = ""
    _replace(graph.node, nodes)
    _replace(graph.initializer, weights)
    _name_axes([*graph.input, *graph.output])
    del graph.value_info[:]
    graph.name, graph.doc_string = GRAPH, ""
    model.doc_string = ""
    _replace(model.opset_import, sorted(model.opset_import, key=lambda entry: entry.domain))
    _replace(model.metadata_props, sorted(model.metadata_props, key=lambda entry: entry.key))


def _without_copies(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Let nodes read the first of equal constants; return the constants by name."""
    constants, first, same = {}, {}, {}
    for tensor in graph.initializer:
        constants[tensor.name] = tensor
        values = onnx.numpy_helper.to_array(tensor)
        content = (tensor.data_type, values.shape, values.tobytes())
        same[tensor.name] = first.setdefault(content, tensor.name)
    for node in graph.node:
        _replace(node.input, [same.get(name, name) for name in node.input])
    return constants


def _in_order(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return copies of the nodes that the outputs need, each after those that it reads."""
    makers = {name: node for node in graph.node for name in node.output if name}
    found, done = [], set()
    waiting = [value.name for value in reversed(graph.output)]
    while waiting:
        node = makers.get(waiting[-1])
        if node is None or node.output[0] in done:
            waiting.pop()
            continue
        needed = [
            name for name in node.input if name in makers and makers[name].output[0] not in done
        ]
        if needed:
            waiting += reversed(needed)
            continue
        waiting.pop()
        done.add(node.output[0])
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        found.append(copy)
    return found


def _rename(node: onnx.NodeProto, name: str, names: dict[str, str]) -> None:
    node.name, node.doc_string = name, ""
    _replace(node.input, [names[given] for given in node.input])
    _replace(node.output, [names[given] for given in node.output])
    _replace(node.attribute, sorted(node.attribute, key=lambda field: field.name))
    for field in node.attribute:
        # The converter names the tensor of a constant by a counter too.
        if field.HasField("t"):
            field.t.name = ""


def _name_axes(values: list[onnx.ValueInfoProto]) -> None:
    """Number the axes of any length, which the converter names by a counter."""
    names: dict[str, str] = {}
    for value in values:
        for axis in value.type.tensor_type.shape.dim:
            if axis.HasField("dim_param"):
                axis.dim_param = names.setdefault(axis.dim_param, f"axis_{len(names)}")


def _replace(field, entries: list) -> None:
    """Put other entries into a repeated field."""
    copies = list(entries)
    del field[:]
    field.extend(copies)
