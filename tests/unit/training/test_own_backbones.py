"""Backbones that are files: features against an independent computation, and clear errors."""

import hashlib
from pathlib import Path

import h5py
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.transformers import MULTIPLY_ADDS, SIDE, draw_weights, tokens_of, write_transformer

from blastfold.core.errors import InputError
from blastfold.core.settings import OnnxSettings, VectorSettings
from blastfold.training.own_backbones import open_onnx, read_vectors

MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def declared_for(path, **changes):
    values = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "layout": "nchw",
        "size": [SIDE, SIDE],
        "multiple": 14,
        "scale": 1 / 255,
        "mean": MEAN,
        "std": STD,
        "output": None,
        "pooling": "cls",
    }
    return OnnxSettings.read(values | changes)


def prepared(count=3, seed=1):
    return np.random.default_rng(seed).normal(size=(count, SIDE, SIDE, 3)).astype(np.float32)


@pytest.fixture
def transformer(tmp_path):
    path = tmp_path / "transformer.onnx"
    write_transformer(path, draw_weights())
    return path


@pytest.mark.parametrize(("pooling", "pooled"), [("cls", lambda x: x[:, 0]), ("mean", np.mean)])
@pytest.mark.parametrize("images", ["batch", 1])
def test_a_transformer_with_gelu_and_patches_gives_what_numpy_gives(
    tmp_path, pooling, pooled, images
):
    weights = draw_weights()
    path = tmp_path / "transformer.onnx"
    write_transformer(path, weights, images=images)
    backbone = open_onnx(path, declared_for(path, pooling=pooling), threads=1)
    tokens = tokens_of(prepared().astype(np.float64), weights)
    expected = tokens[:, 0] if pooling == "cls" else tokens.mean(axis=1)
    np.testing.assert_allclose(backbone.run(prepared()), expected, atol=1e-4)
    assert backbone.features == 8
    assert backbone.parameters >= sum(value.size for value in weights.values())
    assert backbone.multiply_adds == MULTIPLY_ADDS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, "onnx.sha256: received 0000"),
        ({"layout": "nhwc"}, "layout nhwc and the size .28, 28., axis 3"),
        ({"size": [42, 42]}, "axis 2 of the images has their height, 42; .*takes .*28"),
        ({"output": "features"}, "onnx.output: received 'features', but .* the outputs tokens"),
        ({"pooling": "none"}, "onnx.pooling: received 'none', which needs an output of 2 axes"),
        ({"scale": 1e38, "std": [1e-30] * 3}, "not finite on images of noise"),
    ],
)
def test_a_declaration_that_does_not_fit_is_named(transformer, changes, message):
    with np.errstate(all="ignore"), pytest.raises(InputError, match=message):
        open_onnx(transformer, declared_for(transformer, **changes), threads=1)


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        # Positions are fixed, so that another height cannot run although its axis is free.
        ({"height": "height"}, {"size": [SIDE, 2 * SIDE]}, "axis 3 of the images has their width"),
        ({"images": 8}, {}, "takes 8 images at a time"),
        ({"kind": TensorProto.FLOAT16}, {}, "cannot load|is tensor.float16."),
        ({"outputs": ("tokens", "attended")}, {}, "onnx.output: is missing"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, file, changes, message):
    path = tmp_path / "transformer.onnx"
    write_transformer(path, draw_weights(), **file)
    with pytest.raises(InputError, match=message):
        open_onnx(path, declared_for(path, **changes), threads=1)


def test_a_dynamic_shape_that_does_not_run_is_named(transformer, tmp_path):
    path = tmp_path / "dynamic.onnx"
    write_transformer(path, draw_weights(), height="height")
    # Smaller than one patch: the convolution has no place for it.
    with pytest.raises(InputError, match=r"cannot run on images of 7x28|features of shape"):
        open_onnx(path, declared_for(path, size=[7, SIDE]), threads=1)


def test_garbage_is_no_network(tmp_path):
    path = tmp_path / "garbage.onnx"
    path.write_bytes(b"\x08\x07 no network")
    with pytest.raises(InputError, match=r"onnx\.file: ONNX Runtime cannot load"):
        open_onnx(path, declared_for(path), threads=1)


def write_means(path, *last, weights=None, **how):
    """The mean of each colour times a matrix, then the last nodes; names a, b and so on."""
    weights = np.random.default_rng(0).normal(size=(3, 5)) if weights is None else weights
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["a"]),
        *(
            helper.make_node(kind, given, [chr(98 + at)], **more)
            for at, (kind, given, more) in enumerate(last)
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(chr(97 + len(last)), TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights.astype(np.float32), "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(model, path, **how)


def test_weights_in_another_file_are_refused_because_the_digest_does_not_cover_them(tmp_path):
    path, whole = tmp_path / "outside.onnx", tmp_path / "whole.onnx"
    outside = {"save_as_external_data": True, "size_threshold": 0, "location": "values"}
    write_means(path, **outside)
    with pytest.raises(InputError, match=r"keeps weights in another file.*onnx\.save"):
        open_onnx(path, declared_for(path, pooling="none"), threads=1)
    # The remedy of the error.
    onnx.save(onnx.load(path), whole)
    assert open_onnx(whole, declared_for(whole, pooling="none"), threads=1).features == 5


def test_weights_of_a_branch_in_another_file_are_found(tmp_path):
    constant = numpy_helper.from_array(np.ones(5, np.float32), "ones")
    constant.data_location = TensorProto.EXTERNAL
    constant.external_data.add(key="location", value="values")
    inner = helper.make_node("Constant", [], ["one"], value=constant)
    given = helper.make_tensor_value_info("one", TensorProto.FLOAT, [5])
    branch = helper.make_graph([inner], "branch", [], [given])
    path = tmp_path / "branch.onnx"
    write_means(path, ("If", ["a"], {"then_branch": branch, "else_branch": branch}))
    with pytest.raises(InputError, match=r"keeps weights in another file"):
        open_onnx(path, declared_for(path), threads=1)


@pytest.mark.parametrize(
    ("last", "weights", "message"),
    [
        ([("RandomNormalLike", ["a"], {})], None, "other features each time it runs"),
        (
            [("ReduceMean", ["a"], {"axes": [0]}), ("Sub", ["a", "b"], {})],
            None,
            "alone other features than with another one",
        ),
        ([], np.zeros((3, 5)), "gives different images the same features"),
    ],
)
def test_a_network_that_is_not_steady_is_refused(tmp_path, last, weights, message):
    path = tmp_path / "means.onnx"
    write_means(path, *last, weights=weights)
    with pytest.raises(InputError, match=message):
        open_onnx(path, declared_for(path, pooling="none"), threads=1)


def test_files_that_do_not_exist_are_named(tmp_path):
    for read in (
        lambda: open_onnx(tmp_path / "none.onnx", declared_for(Path(__file__)), threads=1),
        lambda: read_vectors(tmp_path / "none.tsv", vectors(), ["a"]),
        lambda: read_vectors(tmp_path, vectors(sha256="1" * 64), ["a"]),
    ):
        with pytest.raises(InputError, match=r"\.file: .* does not exist"):
            read()


IDS = ["c", "a", "b"]
VALUES = np.arange(12, dtype=np.float32).reshape(4, 3)


def write_vectors(path, names=("a", "b", "c", "d"), values=VALUES):
    if path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["image_id"] = list(names)
            file["features"] = values
    else:
        table = pd.DataFrame(values, columns=["x", "y", "z"])
        table.insert(0, "image_id", list(names))
        table.to_csv(path, sep="\t", index=False)
    return path


def vectors(**changes):
    return VectorSettings.read({"sha256": None, "ids": "image_id", "values": "features"} | changes)


@pytest.mark.parametrize("ending", ["h5", "tsv"])
def test_vectors_are_taken_by_the_names_of_images(tmp_path, ending):
    path = write_vectors(tmp_path / f"vectors.{ending}")
    np.testing.assert_array_equal(read_vectors(path, vectors(), IDS), VALUES[[2, 0, 1]])


@pytest.mark.parametrize("ending", ["h5", "tsv"])
@pytest.mark.parametrize(
    ("written", "asked", "message"),
    [
        ({}, [*IDS, "e", "f"], "2 of 5 images of the data set have no vector, for instance 'e'"),
        ({"names": ("a", "b", "a", "d")}, IDS, "image 'a' has two vectors"),
        ({"values": np.where(VALUES == 4, np.inf, VALUES)}, IDS, "'b' has numbers not finite"),
        ({"values": np.ones_like(VALUES)}, IDS, "all 3 images have the same vector"),
    ],
)
def test_vectors_that_are_missing_or_no_numbers_are_named(
    tmp_path, ending, written, asked, message
):
    path = write_vectors(tmp_path / f"vectors.{ending}", **written)
    with pytest.raises(InputError, match=message):
        read_vectors(path, vectors(), asked)


@pytest.mark.parametrize("column", ["label", "Fold", "", "Unnamed: 0"])
def test_a_table_of_vectors_has_no_other_columns(tmp_path, column):
    path = tmp_path / "vectors.tsv"
    path.write_text(f"image_id\tf0\t{column}\na\t0.5\t1\n")
    with pytest.raises(InputError, match="are no features; a network would learn from them"):
        read_vectors(path, vectors(), ["a"])


def test_files_that_hold_no_vectors_are_named(tmp_path):
    path = write_vectors(tmp_path / "vectors.h5")
    with pytest.raises(InputError, match="has no data set embeddings; it has features, image_id"):
        read_vectors(path, vectors(values="embeddings"), IDS)
    with pytest.raises(InputError, match=r"vectors\.sha256: received 1111"):
        read_vectors(path, vectors(sha256="1" * 64), IDS)
    write_vectors(path, values=VALUES + 1j)
    with pytest.raises(InputError, match="has complex numbers"):
        read_vectors(path, vectors(), IDS)
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="cannot be read as HDF5"):
        read_vectors(path, vectors(), IDS)
    array = write_vectors(tmp_path / "vectors.h5").rename(tmp_path / "vectors.npy")
    with pytest.raises(InputError, match="a NumPy file has no names of images"):
        read_vectors(array, vectors(), IDS)
    table = tmp_path / "words.tsv"
    table.write_text("image_id\tx\na\tword\n")
    with pytest.raises(InputError, match="holds no numbers"):
        read_vectors(table, vectors(), ["a"])


@pytest.mark.parametrize("ending", ["h5", "tsv"])
@pytest.mark.parametrize(
    ("codes", "refused"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], True),
        # One class against the others, and patients of one class each.
        ([0, 0, 0, 0, 7, 7, 7, 7, 7, 7, 7, 7], True),
        ([1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4], True),
        # A count that goes with the class, numbers of images, and a unit that is always off.
        ([0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2], False),
        (range(12), False),
        ([0] * 12, False),
    ],
)
def test_a_feature_that_tells_the_class_by_a_few_values_is_refused(
    tmp_path, ending, codes, refused
):
    names = [f"cell{number}" for number in range(12)]
    values = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    values[:, 1] = codes
    path = write_vectors(tmp_path / f"vectors.{ending}", names, values)
    labels = ["0"] * 4 + ["1"] * 4 + ["2"] * 4
    if not refused:
        assert read_vectors(path, vectors(), names, labels).shape == (12, 3)
        return
    column = "y" if ending == "tsv" else r"features\[1\]"
    with pytest.raises(InputError, match=rf"features \['{column}'\] .* tell the class"):
        read_vectors(path, vectors(), names, labels)
