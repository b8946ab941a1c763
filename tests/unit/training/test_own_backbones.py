"""Backbones that are files: features against an independent computation, and clear errors."""

import hashlib

import h5py
import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto
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
