"""A small vision transformer as an ONNX file, as PyTorch exports them, and the same in NumPy."""

import math

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PATCH, WIDTH, SIDE = 14, 8, 28

MULTIPLY_ADDS = (
    4 * 3 * PATCH**2 * WIDTH  # four patches
    + 4 * 5 * WIDTH**2  # query, key, value and projection of five tokens
    + 2 * 5 * 5 * WIDTH  # all pairs of tokens, and the mixtures
    + 2 * 5 * WIDTH * 4 * WIDTH  # the wide layer and back
)
"""Of one image, counted by hand."""


def draw_weights(seed=0):
    random = np.random.default_rng(seed)
    shapes = {
        "patches": (WIDTH, 3, PATCH, PATCH),
        "cls": (1, 1, WIDTH),
        **{name: (WIDTH, WIDTH) for name in ("query", "key", "value", "back")},
        "wide": (WIDTH, 4 * WIDTH),
        "narrow": (4 * WIDTH, WIDTH),
    }
    drawn = {name: random.normal(0, 0.3, shape) for name, shape in shapes.items()}
    drawn["patches"] = drawn["patches"] / PATCH
    return {name: values.astype(np.float32) for name, values in drawn.items()}


def write_transformer(path, weights, images="batch", height=SIDE, outputs=("tokens",), kind=None):
    """Patches of 14 pixels, a class token, one block of attention and GELU; NCHW, float32."""
    constants = dict(weights)
    constants |= {
        "shape": np.array([0, WIDTH, -1]),
        "one": np.array(1, np.float32),
        "half": np.array(0.5, np.float32),
        "scale": np.array(1 / math.sqrt(WIDTH), np.float32),
        "root": np.array(math.sqrt(2), np.float32),
        "start": np.array([0]),
        "next": np.array([1]),
        "gain": np.ones(WIDTH, np.float32),
        "bias": np.zeros(WIDTH, np.float32),
    }
    steps = [
        ("Conv", ["images", "patches"], "maps", {"strides": [PATCH, PATCH]}),
        ("Reshape", ["maps", "shape"], "columns", {}),
        ("Transpose", ["columns"], "embedded", {"perm": [0, 2, 1]}),
        # The class token of every image: its first token times 0, plus the weights.
        ("Slice", ["embedded", "start", "next", "next"], "first", {}),
        ("Sub", ["first", "first"], "nothing", {}),
        ("Add", ["nothing", "cls"], "classes", {}),
        ("Concat", ["classes", "embedded"], "sequence", {"axis": 1}),
        ("LayerNormalization", ["sequence", "gain", "bias"], "normed", {}),
        *(("MatMul", ["normed", name], f"all_{name}", {}) for name in ("query", "key", "value")),
        ("Transpose", ["all_key"], "turned", {"perm": [0, 2, 1]}),
        ("MatMul", ["all_query", "turned"], "products", {}),
        ("Mul", ["products", "scale"], "scaled", {}),
        ("Softmax", ["scaled"], "attention", {"axis": -1}),
        ("MatMul", ["attention", "all_value"], "mixed", {}),
        ("MatMul", ["mixed", "back"], "projected", {}),
        ("Add", ["sequence", "projected"], "attended", {}),
        ("LayerNormalization", ["attended", "gain", "bias"], "normed_again", {}),
        ("MatMul", ["normed_again", "wide"], "hidden", {}),
        ("Div", ["hidden", "root"], "divided", {}),
        ("Erf", ["divided"], "error", {}),
        ("Add", ["error", "one"], "shifted", {}),
        ("Mul", ["hidden", "shifted"], "doubled", {}),
        ("Mul", ["doubled", "half"], "gelu", {}),
        ("MatMul", ["gelu", "narrow"], "contracted", {}),
        ("Add", ["attended", "contracted"], "tokens", {}),
    ]
    nodes = [helper.make_node(kind_, given, [to], **more) for kind_, given, to, more in steps]
    shape = [images, 3, height, SIDE]
    graph = helper.make_graph(
        nodes,
        "transformer",
        [helper.make_tensor_value_info("images", kind or TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)


def tokens_of(images, weights):
    """The same in float64: images (n, 28, 28, 3) to tokens (n, 5, 8)."""
    count, steps = len(images), SIDE // PATCH
    cut = images.reshape(count, steps, PATCH, steps, PATCH, 3)
    patches = cut.transpose(0, 1, 3, 5, 2, 4).reshape(count, steps**2, -1)
    embedded = patches @ weights["patches"].reshape(WIDTH, -1).T
    classes = np.broadcast_to(weights["cls"], (count, 1, WIDTH))
    sequence = np.concatenate([classes, embedded], axis=1)

    def norm(values):
        centred = values - values.mean(axis=-1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)

    normed = norm(sequence)
    query, key, value = (normed @ weights[name] for name in ("query", "key", "value"))
    products = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH))
    mixed = products / products.sum(axis=-1, keepdims=True) @ value
    attended = sequence + mixed @ weights["back"]
    hidden = norm(attended) @ weights["wide"]
    gelu = hidden * np.vectorize(lambda x: 0.5 * (1 + math.erf(x / math.sqrt(2))))(hidden)
    return attended + gelu @ weights["narrow"]
