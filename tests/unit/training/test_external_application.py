"""External tests: what is predicted, and what the config refuses."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from support.repository import SCHEMA
from support.trainings import job_settings

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.predictions import read_predictions
from blastfold.experiment.combinations import external_runs
from blastfold.experiment.config import check_config
from blastfold.training.external_application import (
    apply_models,
    describe_matched,
    match_classes,
    predict_with,
)


def write_model(path, scale, size=8):
    """A network whose probability of blast is sigmoid(scale * (mean intensity - 100))."""
    image = keras.Input((size, size, 3), dtype="uint8")
    plain = keras.layers.Rescaling(1.0)(image)
    mean = keras.layers.Flatten()(keras.layers.AveragePooling2D(size)(plain))
    logit = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Model(image, logit(mean))
    logit.set_weights([np.full((3, 1), scale / 3), np.array([-100 * scale])])
    model.save(path)
    return path


def test_an_image_gets_the_mean_probability_of_the_networks(tmp_path):
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)
    images = (images * random.uniform(0.2, 1, (40, 1, 1, 1))).astype(np.uint8)
    np.save(tmp_path / "images.npy", images)
    manifest = pd.DataFrame(
        {"image_id": [f"00{number}" for number in range(40)], "label": np.arange(40) % 2}
    )
    manifest["class"] = np.array(["normal", "blast"])[manifest["label"]]
    manifest.to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    (tmp_path / "dataset.json").write_text(
        json.dumps({"images_sha256": "aa", "manifest_sha256": "bb", "classes": ["normal", "blast"]})
    )
    models = [write_model(tmp_path / f"{scale}.keras", scale) for scale in (0.05, 0.2)]
    outputs = {name: tmp_path / name for name in ("predictions", "networks", "record")}
    apply_models(
        models,
        *(tmp_path / name for name in ("images.npy", "manifest.tsv", "dataset.json")),
        compute=job_settings(),
        outputs=outputs,
    )
    found = read_predictions(outputs["predictions"])
    networks = read_predictions(outputs["networks"])
    mean = images.reshape(40, -1).mean(axis=1)
    each = [1 / (1 + np.exp(-scale * (mean - 100))) for scale in (0.05, 0.2)]
    for fold, expected in enumerate(each):
        of_network = networks[networks["fold"] == fold]
        np.testing.assert_allclose(of_network["probability_blast"], expected, atol=1e-4)
    np.testing.assert_allclose(found["probability_blast"], np.mean(each, axis=0), atol=1e-4)
    assert set(found["fold"]) == {0}
    assert found["image_id"].tolist() == manifest["image_id"].tolist()
    assert found["label"].tolist() == manifest["label"].tolist()
    assert (found["role"] == "test").all()
    assert json.loads(outputs["record"].read_text())["digests"]["images"] == "aa"


def test_networks_have_the_repeat_of_their_fold(tmp_path):
    np.save(tmp_path / "images.npy", np.zeros((2, 8, 8, 3), dtype=np.uint8))
    rows = {"image_id": ["a", "b"], "label": [0, 1], "class": ["normal", "blast"]}
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    (tmp_path / "dataset.json").write_text(
        json.dumps({"images_sha256": "aa", "manifest_sha256": "bb", "classes": ["normal", "blast"]})
    )
    outputs = {name: tmp_path / name for name in ("predictions", "networks", "record")}
    apply_models(
        # Two repeats of three folds.
        [write_model(tmp_path / "model.keras", 1.0)] * 6,
        *(tmp_path / name for name in ("images.npy", "manifest.tsv", "dataset.json")),
        compute=job_settings(),
        outputs=outputs,
        repeats=2,
    )
    networks = read_predictions(outputs["networks"]).groupby("fold")["repeat"].unique()
    assert [list(repeats) for repeats in networks] == [[0]] * 3 + [[1]] * 3


def test_classes_are_matched_by_name():
    manifest = pd.DataFrame({"label": list("012310")})
    classes = ("monocyte", "blast", "basophil", "eosinophil")
    known = ("blast", "monocyte", "neutrophil")
    rows, labels, matched = match_classes(manifest, classes, known)
    assert rows.tolist() == [0, 1, 4, 5]
    assert labels.tolist() == [1, 0, 0, 1]
    assert matched == {"left_out": {"basophil": 1, "eosinophil": 1}, "absent": ["neutrophil"]}
    assert describe_matched(matched) == [
        "1 images of the class 'basophil' are left out: the networks do not know it",
        "1 images of the class 'eosinophil' are left out: the networks do not know it",
        "no image is of the class 'neutrophil'",
    ]
    with pytest.raises(InputError, match=r"'c', 'd'\], and the networks know \['blast'"):
        match_classes(manifest, list("abcd"), known)


def test_classes_that_differ_in_spelling_are_hinted_at():
    manifest = pd.DataFrame({"label": ["0", "1", "1"]})
    with pytest.raises(InputError, match="is 'lymphocytes' the class 'Lymphocyte' with another"):
        match_classes(manifest, ["lymphocytes", "blast"], ["Lymphocyte", "L1"])
    _, _, matched = match_classes(manifest, ["L 1", "blast"], ["L1", "blast"])
    [left_out, _] = describe_matched(matched)
    assert left_out.endswith("; is 'L 1' the class 'L1' with another spelling?")


def test_images_of_unknown_classes_are_left_out(tmp_path):
    np.save(tmp_path / "images.npy", np.arange(3 * 192).reshape(3, 8, 8, 3).astype(np.uint8))
    classes = ["blast", "platelet", "normal"]
    rows = {"image_id": ["a", "b", "c"], "label": [0, 1, 2], "class": classes}
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.tsv", sep="\t", index=False)
    summary = {"images_sha256": "aa", "manifest_sha256": "bb"}
    (tmp_path / "dataset.json").write_text(json.dumps({**summary, "classes": classes}))
    (tmp_path / "trained.json").write_text(json.dumps({"classes": ["normal", "blast"]}))
    outputs = {name: tmp_path / name for name in ("predictions", "networks", "record")}
    apply_models(
        [write_model(tmp_path / "model.keras", 0.1)],
        *(tmp_path / name for name in ("images.npy", "manifest.tsv", "dataset.json")),
        compute=job_settings(),
        outputs=outputs,
        trained=tmp_path / "trained.json",
    )
    found = read_predictions(outputs["predictions"])
    assert found["image_id"].tolist() == ["a", "c"]
    assert found["label"].tolist() == [1, 0]
    alone = predict_with(tmp_path / "model.keras", np.load(tmp_path / "images.npy"))
    np.testing.assert_allclose(found["probability_blast"], alone[[0, 2], 1], rtol=1e-12)
    record = json.loads(outputs["record"].read_text())
    assert record["classes"] == {"left_out": {"platelet": 1}, "absent": []}


def test_images_of_another_size_are_refused(tmp_path):
    path = write_model(tmp_path / "model.keras", 1.0)
    with pytest.raises(InputError, match=r"shape \(8, 8, 3\), received \(9, 8, 3\)"):
        predict_with(path, np.zeros((2, 9, 8, 3), dtype=np.uint8))


def experiment(**changes):
    config = {
        "datasets": {
            "a": {"format": "folder", "image_size": [20, 20]},
            "b": {"format": "folder", "image_size": [20, 20]},
            "large": {"format": "folder", "image_size": [30, 30]},
            "a_grown": {"format": "grown", "of": "a", "grow": {"normal": 9, "blast": 9}},
        },
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"net": {"architecture": "simple_cnn"}},
        "experiments": [
            {"datasets": ["a"], "protocols": ["holdout"], "models": ["net"], **changes}
        ],
    }
    return check_config(config, SCHEMA)


def test_runs_are_listed_without_canaries():
    runs = external_runs(experiment(external_test=["b"], canaries=True))
    assert runs == [{"dataset": "a", "protocol": "holdout", "model": "net", "external": "b"}]
    assert external_runs(experiment()) == []


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["lost"], "received 'lost', expected one of the data sets"),
        (["a"], "expected images other than those of a"),
        (["a_grown"], "expected images other than those of a"),
        (["large"], r"'large' of image_size \[30, 30\], expected that of a, \[20, 20\]"),
    ],
)
def test_data_sets_that_cannot_be_an_external_test_are_named(names, expected):
    with pytest.raises(BlastfoldError, match=expected):
        experiment(external_test=names)
