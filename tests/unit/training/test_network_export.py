"""Exported networks: ONNX files that agree with Keras and with the stored predictions."""

import csv
import json
import subprocess
import sys

import cv2
import keras
import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from support.repository import RESOURCES
from support.trainings import (
    add_turned_fold,
    blobs,
    job_files,
    job_settings,
    model_settings,
    network_outputs_in,
    write_job,
)

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.core.image_measures import MEASURES
from blastfold.core.onnx_sessions import chained, open_session
from blastfold.core.settings import Run
from blastfold.images.decoding import decode_image, fit_image
from blastfold.images.stain import fit_image as fit_image_statistics
from blastfold.networks import architectures, preprocessing, stain_layers
from blastfold.networks.multiply_adds import multiply_adds
from blastfold.networks.onnx_multiply_adds import count_parameters, onnx_multiply_adds
from blastfold.smears import exported
from blastfold.training import fold_job, keras_to_onnx, network_export, onnx_graphs
from blastfold.training.network_export import ExportFiles, export_network, export_networks
from blastfold.training.trainer import whole_model

RUN = Run("cells", "holdout", "model", image_source="cells")
ABOUT = {"dataset": "cells", "protocol": "holdout", "model": "model"}
FITTED = {
    "images": 10,
    "temperature": {"value": 2.0, "note": ""},
    "thresholds": {
        "youden": {"value": 0.3, "note": ""},
        "sensitivity-0.95": {"value": 0.2, "note": ""},
    },
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with two trained folds, whose images are there as files too."""
    folder = tmp_path_factory.mktemp("trained")
    images, labels = blobs()
    write_job(folder, images, labels)
    add_turned_fold(folder)
    manifest = pd.read_csv(folder / "manifest.tsv", sep="\t")
    manifest["sha256"] = [f"{number:064x}" for number in range(len(labels))]
    manifest.to_csv(folder / "manifest.tsv", sep="\t", index=False)
    outputs = network_outputs_in(folder / "out")
    settings = model_settings(epochs=2, augment=False, stain="none")
    fold_job.train_folds(job_files(folder), settings, job_settings(), RUN, outputs)
    measures = pd.DataFrame({"image_id": manifest["image_id"], "found_by": "mask"})
    measures[list(MEASURES)] = 0.25
    measures.to_csv(folder / "measures.tsv", sep="\t", index=False)
    (folder / "fitted.json").write_text(json.dumps([{"fold": fold, **FITTED} for fold in (0, 1)]))
    # Two cells of one photograph, which the start weights were learnt from.
    source = {"image_id": ["a", "b"], "label": 0, "sha256": ["a" * 64, "b" * 64]}
    source = pd.DataFrame(source).assign(source_sha256="c" * 64)
    source.to_csv(folder / "source.tsv", sep="\t", index=False)
    (folder / "cells").mkdir()
    for name, image in zip(manifest["image_id"], images, strict=True):
        cv2.imwrite(str(folder / "cells" / f"{name}.png"), image[..., ::-1])
    return folder


def export(folder, fold, out):
    place = folder / out
    files = {name: folder / f"{name}.tsv" for name in ("manifest", "folds", "measures")}
    export_networks(
        ExportFiles(
            networks=[folder / "out" / "networks"],
            images=folder / "images.npy",
            dataset=folder / "dataset.json",
            predictions=folder / "out" / "predictions.tsv",
            fitted=folder / "fitted.json",
            sources=[folder / "source.tsv"],
            **files,
        ),
        fold,
        ABOUT,
        None,
        [14.5, 14.5],
        {
            "networks": place / "networks",
            "domain": place / "domain.npz",
            "description": place / "model.json",
            "training_images": place / "training_images.tsv",
        },
    )
    script = RESOURCES / "export" / "blastfold_predict.py"
    # So short that its users can read it before they run it.
    assert len(script.read_text("utf-8").splitlines()) < 100
    (place / script.name).write_bytes(script.read_bytes())
    return place


def predict(place, images, *options):
    """Run the exported script as its users do, without this repository on the path."""
    command = [sys.executable, "-I", str(place / "blastfold_predict.py"), str(images), *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    return run, list(csv.DictReader(run.stdout.splitlines()))


@pytest.fixture(scope="module")
def one_fold(trained):
    return export(trained, 1, "one")


def test_the_script_gives_the_stored_predictions_and_the_chosen_class(trained, one_fold):
    place = one_fold
    run, rows = predict(place, trained / "cells", "--threshold", "youden")
    assert run.returncode == 0, run.stderr
    found = {row["file"].removesuffix(".png"): row for row in rows}
    stored = pd.read_csv(trained / "out" / "predictions.tsv", sep="\t").query("fold == 1")
    assert len(found) == 60
    assert len(stored) > 20
    for _, expected in stored.iterrows():
        row = found[expected["image_id"]]
        probability = expected["probability_blast"]
        assert float(row["probability_blast"]) == pytest.approx(probability, abs=1e-4)
        assert row["predicted"] == ("blast" if float(row["probability_blast"]) >= 0.3 else "normal")
        # A temperature of 2 halves the logit: both probabilities become their roots.
        root, other = np.sqrt(probability), np.sqrt(1 - probability)
        assert float(row["scaled_probability_blast"]) == pytest.approx(
            root / (root + other), abs=1e-3
        )
    model = json.loads((place / "model.json").read_text("utf-8"))
    [network] = model["networks"]
    assert network["differences"]["from_keras"] <= 1e-4
    assert network["differences"]["from_stored_predictions"] <= 1e-4
    # A disc of a quarter of the image is 0.564 of its side wide.
    assert model["image"]["cell_diameter"] == pytest.approx(2 * (0.25 / np.pi) ** 0.5, abs=1e-4)
    assert model["image"]["micrometres"] == [14.5, 14.5]
    table = pd.read_csv(place / "training_images.tsv", sep="\t", dtype=str)
    folds = pd.read_csv(trained / "folds.tsv", sep="\t").query("fold == 1 and role != 'test'")
    learnt, source = (table[table["roles"].eq("source_task") == which] for which in (False, True))
    assert sorted(learnt["sha256"]) == sorted(
        f"{int(name.split()[1]):064x}" for name in folds["image_id"]
    )
    assert dict(zip(source["sha256"].str[0], source["kind"], strict=True)) == {
        **{"a": "image", "b": "image", "c": "photograph"}
    }


def test_all_folds_predict_by_their_mean_and_have_no_chosen_threshold(trained, one_fold):
    place = export(trained, None, "all")
    # The same network becomes the same file, though the converter's counters have moved on.
    first = one_fold / "networks" / "fold-1.onnx"
    assert (place / "networks" / first.name).read_bytes() == first.read_bytes()
    (trained / "few").mkdir(exist_ok=True)
    image = cv2.imread(str(trained / "cells" / "cell 0.png"))
    cv2.imwrite(str(trained / "few" / "cell.bmp"), image)
    (trained / "few" / "broken.png").write_bytes(b"\x89PNG broken")
    # A header that asks for more memory than there is, a folder and a link to nothing.
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xea\x60\0\0\xea\x60\x08\2\0\0\0"
    (trained / "few" / "huge.png").write_bytes(header)
    (trained / "few" / "folder.png").mkdir(exist_ok=True)
    (trained / "few" / "link.png").symlink_to("nowhere.png")
    run, [row] = predict(place, trained / "few")
    assert run.returncode == 0
    for name in ("broken", "huge", "link"):
        assert f"{name}.png: left out" in run.stderr
    nothing, rows = predict(place, trained / "absent")
    assert (nothing.returncode, rows) == (1, [])
    assert "absent: not a folder of readable images" in nothing.stderr
    networks = [place / "networks" / f"fold-{fold}.keras" for fold in (0, 1)]
    each = [
        float(keras.saving.load_model(path).predict_on_batch(image[None, ..., ::-1])[0, 0])
        for path in networks
    ]
    assert float(row["probability_blast"]) == pytest.approx(np.mean(each), abs=1e-4)
    assert list(json.loads((place / "model.json").read_text())["thresholds"]) == ["threshold-0.5"]
    refused, _ = predict(place, trained / "few", "--threshold", "youden")
    assert "invalid choice: 'youden'" in refused.stderr
    graph = place / "networks" / first.name
    graph.write_bytes(graph.read_bytes() + b"\0")
    changed, rows = predict(place, trained / "few")
    assert "fold-1.onnx: was changed after the export" in changed.stderr
    assert rows == []


def test_the_exported_features_are_what_the_last_layer_takes(trained, one_fold):
    model = exported.open_export(one_fold)
    [network] = model.networks
    images = np.load(trained / "images.npy")
    names = pd.read_csv(trained / "manifest.tsv", sep="\t")["image_id"].tolist()
    stored = pd.read_csv(trained / "out" / "predictions.tsv", sep="\t")
    tested = stored[(stored["role"] == "test") & (stored["fold"] == 1)]
    places = [names.index(name) for name in tested["image_id"]]
    found = exported.predict(model, images)
    root, other = tested["probability_blast"] ** 0.5, (1 - tested["probability_blast"]) ** 0.5
    np.testing.assert_allclose(found.calibrated[0, places], root / (root + other), atol=1e-3)
    described = json.loads((one_fold / "model.json").read_text())["networks"][0]["domain"]
    beyond = (found.distances[0, places] > 1).mean()
    assert described["test_images_beyond"] == pytest.approx(beyond, abs=0.05)
    folds = pd.read_csv(trained / "folds.tsv", sep="\t")
    assert described["images"] == len(folds.query("fold == 1 and role == 'train'"))
    # Its weights give the probability from the features.
    stored_network = keras.saving.load_model(one_fold / "networks" / "fold-1.keras")
    classifier = stored_network.get_layer("network").layers[-1].layers[-1]
    weight, bias = classifier.get_weights()
    outputs = network.run(images[:9])
    logits = outputs[1] @ weight + bias
    np.testing.assert_allclose(outputs[0], 1 / (1 + np.exp(-logits)), atol=1e-4)
    noise = np.random.default_rng(0).integers(0, 256, images[:20].shape, dtype=np.uint8)
    assert (exported.predict(model, noise).distances > 1).mean() > 0.9


def small_network(preparation_of=None, activation="relu", size=16, **convolution):
    image = keras.Input((size, size, 3))
    maps = keras.layers.Conv2D(6, 3, activation=activation, **convolution)(image)
    backbone = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    head = architectures.build_head((6,), "vgg16", (), 0.0, 1)
    network = architectures.Network(backbone, head, None)
    mean = np.full((size, size, 3), 128, dtype="float32")
    prepared = preprocessing.build_preparation("mean_image_scaled", None, mean, preparation_of)
    return whole_model(network, prepared, views=2)


@pytest.mark.parametrize("parts", [1, 2])
def test_gelu_and_views_agree_as_one_graph_and_as_two(tmp_path, monkeypatch, parts):
    if parts == 2:
        monkeypatch.setattr(onnx_graphs, "LARGEST_OF_ONE_GRAPH", 1)
    model = small_network(activation="gelu")
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).integers(60, 256, (5, 16, 16, 3), dtype=np.uint8)
    expected = model.predict_on_batch(images)
    record = export_network(tmp_path / "model.keras", 0, images, expected, tmp_path)
    assert record["note"] == ""
    assert len(record["graphs"]) == parts
    assert record["differences"]["from_keras"] <= 1e-5


@pytest.mark.parametrize("stain", ["reinhard", "macenko"])
def test_stain_normalisation_agrees_on_real_cells(tmp_path, test_data, stain):
    paths = sorted((test_data / "wbc_sample" / "laboratory_1").rglob("*.png"))[:12:2]
    images = np.stack([fit_image(decode_image(path), (64, 64)) for path in paths])
    reference = fit_image_statistics(images[0], stain)
    model = small_network({"stain": stain, "reference": reference}, size=64)
    model.save(tmp_path / "model.keras")
    expected = model.predict_on_batch(images)
    record = export_network(tmp_path / "model.keras", 0, images, expected, tmp_path)
    assert record["note"] == ""
    assert record["differences"]["from_keras"] <= 1e-4


def test_a_backbone_of_keras_becomes_a_file_with_its_scaling_inside(tmp_path):
    # VGG16 takes BGR minus a mean, which no scale, mean and std of the config can express.
    image = keras.Input((16, 20, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", bias_initializer="random_normal")(image)
    backbone = keras.Model(image, keras.layers.GlobalAveragePooling2D()(maps))
    path = tmp_path / "backbone.onnx"
    entry = keras_to_onnx.write_scaled(backbone, "vgg16", path)
    declared = {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1], "pooling": "none"}
    declared |= {"file": str(path), "layout": "nhwc", "size": [16, 20]}
    assert entry == {"sha256": digest_file(path), **declared}
    images = np.random.default_rng(0).uniform(0, 255, (3, 16, 20, 3)).astype("float32")
    expected = backbone.predict_on_batch(keras.applications.vgg16.preprocess_input(images.copy()))
    np.testing.assert_allclose(chained([path])(images), expected, rtol=1e-5)
    model = onnx.load(path)
    assert onnx_multiply_adds(model, (16, 20, 3)) == multiply_adds(backbone) == 14 * 18 * 27 * 4
    # The mean that is subtracted, and no more.
    assert 0 <= count_parameters(model) - backbone.count_params() <= 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--size": "0"}, r"--size: received \[0\]"),
        ({"--size": "8"}, "cannot take images of 8x8"),
        ({"--architecture": "simple_cnn"}, "expected a network of keras.applications"),
        ({"--architecture": "resnet7"}, "received 'resnet7'"),
        ({"--weights": "missing.weights.h5"}, "missing.weights.h5 does not exist"),
    ],
)
def test_a_wrong_command_names_its_error_and_writes_nothing(tmp_path, changes, words):
    options = {"--architecture": "vgg16", "--weights": "missing.weights.h5", "--size": "32"}
    options |= {"--output": str(tmp_path / "vgg16.onnx"), **changes}
    with pytest.raises(InputError, match=words):
        keras_to_onnx.main([part for option in options.items() for part in option])
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_onnx_cannot_hold_is_reported_and_kept_as_keras(tmp_path):
    # Keras leaves convolutions in groups to XLA, which the converter does not know.
    small_network(groups=3).save(tmp_path / "model.keras")
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    record = export_network(tmp_path / "model.keras", 0, images, np.full((2, 2), 0.5), tmp_path)
    assert record["note"].startswith("not_in_onnx:")
    assert record["graphs"] == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-0.keras", "model.keras"]


def test_a_network_that_differs_from_keras_is_not_exported(tmp_path, monkeypatch):
    small_network().save(tmp_path / "model.keras")
    other = small_network()
    other.set_weights([weight + 1 for weight in other.get_weights()])
    monkeypatch.setattr(network_export, "split_model", lambda model: [other])
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    record = export_network(tmp_path / "model.keras", 0, images, np.full((2, 2), 0.5), tmp_path)
    assert record["note"].startswith("onnx_differs:")
    assert record["differences"]["from_keras"] > 1e-4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold-0.keras", "model.keras"]


def test_repair_makes_invalid_files_of_the_converter_valid(tmp_path):
    def value(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])

    graph = helper.make_graph(
        [helper.make_node("Erfc", ["given"], ["output"])],
        "invalid",
        [value("given"), value("dangling")],
        [value("output")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, tmp_path / "invalid.onnx")
    with pytest.raises(Exception, match="Erfc"):
        open_session(tmp_path / "invalid.onnx")
    onnx_graphs.repair(model)
    onnx.save(model, tmp_path / "valid.onnx")
    assert [given.name for given in model.graph.input] == ["given"]
    # erfc(0) = 1 and erfc(1) = 0.157299 (Abramowitz and Stegun, table 7.1).
    found = chained([tmp_path / "valid.onnx"])(np.array([0, 1], np.float32))
    np.testing.assert_allclose(found, [1, 0.157299], atol=1e-6)


def test_jacobi_rotations_find_the_eigenvectors_of_numpy():
    random = np.random.default_rng(0)
    factors = random.normal(size=(200, 3, 3)) * 10.0 ** random.uniform(-3, 1, (200, 1, 1))
    matrices = factors @ factors.transpose(0, 2, 1)
    matrices[:2] = np.eye(3), np.diag([3.0, 1.0, 2.0])
    single = matrices.astype("float32")
    vectors = keras.ops.convert_to_numpy(stain_layers._eigenvectors(single)).astype("float64")
    np.testing.assert_allclose(
        vectors @ vectors.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (200, 3, 3)), atol=2e-6
    )
    values = np.linalg.eigvalsh(matrices)
    turned = vectors @ matrices @ vectors.transpose(0, 2, 1)
    scale = np.abs(matrices).max(axis=(1, 2))[:, None, None]
    wanted = values[:, :, None] * np.eye(3)
    np.testing.assert_allclose(turned / scale, wanted / scale, atol=3e-6)
