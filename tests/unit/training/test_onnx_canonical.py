"""Graphs that are equal but for names and order become equal bytes, and compute the same."""

import copy

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.transformers import SIDE, draw_weights, tokens_of, write_transformer

from blastfold.core.onnx_sessions import chained
from blastfold.training.onnx_canonical import make_canonical


def disguised(model, seed):
    """The same graph with other names, in another order, with a dead end and a copied constant."""
    random = np.random.default_rng(seed)
    other = copy.deepcopy(model)
    graph = other.graph
    kept = {value.name for value in (*graph.input, *graph.output)}
    inner = {name for node in graph.node for name in (*node.input, *node.output)} - kept
    names = {name: f"{seed}/{random.integers(2**60)}:0" for name in sorted(inner)}
    for node in graph.node:
        node.name = f"{node.op_type}__{random.integers(2**60)}"
        for field in (node.input, node.output):
            renamed = [names.get(name, name) for name in field]
            del field[:]
            field.extend(renamed)
    for tensor in graph.initializer:
        tensor.name = names[tensor.name]
    copied = copy.deepcopy(next(entry for entry in graph.initializer if len(entry.dims) == 1))
    reader = next(node for node in graph.node if copied.name in node.input)
    place = list(reader.input).index(copied.name)
    copied.name = reader.input[place] = "copy"
    dead = helper.make_node("Relu", [graph.input[0].name], ["nowhere"])
    for field, more in ((graph.node, dead), (graph.initializer, copied)):
        entries = [*field, more]
        del field[:]
        field.extend(entries[at] for at in random.permutation(len(entries)))
    graph.value_info.append(helper.make_tensor_value_info("nowhere", TensorProto.FLOAT, None))
    graph.input[0].type.tensor_type.shape.dim[0].dim_param = f"unk__{seed}"
    graph.name = other.doc_string = f"graph {seed}"
    return other


def test_names_order_copies_and_dead_ends_leave_no_trace(tmp_path):
    weights = draw_weights()
    write_transformer(tmp_path / "vit.onnx", weights)
    model = onnx.load(tmp_path / "vit.onnx")
    found = [disguised(model, seed) for seed in range(3)]
    assert len({entry.SerializeToString() for entry in found}) == 3
    for entry in found:
        make_canonical(entry)
    assert len({entry.SerializeToString() for entry in found}) == 1
    once = found[0].SerializeToString()
    make_canonical(found[0])
    assert found[0].SerializeToString() == once
    onnx.save(found[0], tmp_path / "canonical.onnx")
    images = np.random.default_rng(0).normal(size=(3, SIDE, SIDE, 3)).astype(np.float32)
    tokens = chained([tmp_path / "canonical.onnx"])(images.transpose(0, 3, 1, 2).copy())
    np.testing.assert_allclose(tokens, tokens_of(images, weights), atol=1e-4)


def test_other_weights_stay_another_file(tmp_path):
    contents = set()
    for seed in (0, 1):
        write_transformer(tmp_path / "vit.onnx", draw_weights(seed))
        model = onnx.load(tmp_path / "vit.onnx")
        make_canonical(model)
        contents.add(model.SerializeToString())
    assert len(contents) == 2


def test_constants_that_are_outputs_or_inputs_keep_their_names():
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])

    constants = [numpy_helper.from_array(np.array([number], np.float32), name)
                 for number, name in enumerate(("bias", "fixed"))]  # fmt: skip
    nodes = [helper.make_node("Add", ["image", "bias"], ["sum"])]
    given, made = [value("image"), value("bias")], [value("sum"), value("fixed")]
    model = helper.make_model(helper.make_graph(nodes, "graph", given, made, constants))
    make_canonical(model)
    onnx.checker.check_model(model)
    assert [tensor.name for tensor in model.graph.initializer] == ["bias", "fixed"]
    assert list(model.graph.node[0].input) == ["image", "bias"]
