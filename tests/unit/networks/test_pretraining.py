"""Source tasks: their entries of the config, and the backbones that they leave."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from support.repository import SCHEMA
from support.trainings import blobs, model_settings, run_job, write_job

from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config import check_config
from blastfold.experiment.pretraining import pretraining_name, source_of
from blastfold.leakage.learnt_images import read_learnt
from blastfold.networks import architectures
from blastfold.training.backbone_export import export_backbone


def config_with(model, source=None, models=None):
    return {
        "datasets": {"cells": {"format": "folder"}, "tiles": {"format": "folder"}},
        "protocols": {
            "folds": {"kind": "kfold", "folds": 3},
            "holdout": {"kind": "holdout"},
        },
        "models": {"net": {"architecture": "MobileNet_V2", **model}, **(models or {})},
        "pretraining": {"tiles": {"dataset": "tiles", "protocol": "holdout", **(source or {})}},
        "experiments": [{"datasets": ["cells"], "protocols": ["folds"], "models": ["net"]}],
    }


def check(config):
    return check_config(config, SCHEMA, "mine.yaml")


TRANSFERRED = {"weights": {"pretrained_on": "tiles"}}


def test_source_is_trained_as_a_model_of_the_same_network():
    config = check(config_with(TRANSFERRED, {"training": {"epochs": 4, "train": "all"}}))
    assert combinations(config) == [
        ("cells", "folds", "net"),
        ("tiles", "holdout", "tiles_mobilenetv2"),
    ]
    source = config["models"]["tiles_mobilenetv2"]
    assert source["architecture"] == "MobileNet_V2"
    assert (source["epochs"], source["train"], source["weights"]) == (4, "all", "none")
    assert config["models"]["net"]["weights"] == TRANSFERRED["weights"]


def test_source_that_nobody_starts_from_is_not_trained():
    assert combinations(check(config_with({}))) == [("cells", "folds", "net")]
    unused = {"other": {"architecture": "MobileNet_V2", **TRANSFERRED}}
    assert combinations(check(config_with({}, models=unused))) == [("cells", "folds", "net")]


def test_source_may_start_from_another_source():
    config = config_with(TRANSFERRED, {"training": {"weights": {"pretrained_on": "cells"}}})
    config["datasets"]["patches"] = {"format": "pcam"}
    config["pretraining"]["cells"] = {"dataset": "patches", "protocol": "holdout"}
    asked = combinations(check(config))
    assert ("tiles", "holdout", "tiles_mobilenetv2") in asked
    assert ("patches", "holdout", "cells_mobilenetv2") in asked
    # Two steps behind, the weights would have been learnt from what is tested.
    config["pretraining"]["cells"]["dataset"] = "cells"
    with pytest.raises(InputError, match="cells learns from images of cells, on which"):
        check(config)


def test_what_belongs_to_the_weights_is_resolved():
    def preprocessing(model, source=None):
        config = check(config_with({"preprocessing": "weights", **model}, source))
        return config["models"]["net"]["preprocessing"]

    assert preprocessing({"weights": "none"}) == "none"
    assert preprocessing({"weights": "imagenet"}) == "imagenet"
    assert preprocessing(TRANSFERRED) == "source_mean_image_plain"
    assert preprocessing(TRANSFERRED, {"training": {"preprocessing": "none"}}) == "none"
    chained = {"training": {"weights": "imagenet", "preprocessing": "weights"}}
    assert preprocessing(TRANSFERRED, chained) == "imagenet"
    chained = {"training": {"weights": "imagenet"}}
    assert preprocessing(TRANSFERRED, chained) == "source_mean_image_imagenet"


@pytest.mark.parametrize(
    ("weights", "training", "resolved"),
    [
        ("none", {}, "mean_image_plain"),
        ("imagenet", {}, "mean_image_imagenet"),
        ("source", {}, "mean_image_plain"),
        ("source", {"preprocessing": "none"}, "mean_image_plain"),
        ("source", {"preprocessing": "mean_image_scaled"}, "mean_image_scaled"),
        ("source", {"weights": "imagenet", "preprocessing": "weights"}, "mean_image_imagenet"),
        ("source", {"weights": "imagenet"}, "mean_image_imagenet"),
        ("source", {"weights": "imagenet", "preprocessing": "none"}, "mean_image_plain"),
    ],
)
def test_mean_image_is_in_the_units_of_the_start_weights(weights, training, resolved):
    start = TRANSFERRED if weights == "source" else {"weights": weights}
    config = check(config_with(start, {"training": training}))
    assert config["models"]["net"]["preprocessing"] == resolved
    plain = check(config_with({**start, "preprocessing": "mean_image_plain"}, {}))
    assert plain["models"]["net"]["preprocessing"] == "mean_image_plain"


@pytest.mark.parametrize(
    ("model", "resolved"),
    [
        ({}, "trained"),
        ({"weights": "imagenet"}, "frozen"),
        (TRANSFERRED, "frozen"),
        ({**TRANSFERRED, "batch_normalisation": "trained"}, "trained"),
    ],
)
def test_batch_normalisation_is_frozen_where_it_was_learnt(model, resolved):
    assert check(config_with(model))["models"]["net"]["batch_normalisation"] == resolved


@pytest.mark.parametrize(
    ("model", "source", "expected"),
    [
        (
            {"weights": {"pretrained_on": "smears"}},
            {},
            "models.net.weights.pretrained_on: received 'smears', expected one of the entries",
        ),
        (TRANSFERRED, {"dataset": "x"}, "pretraining.tiles.dataset: received 'x'"),
        (TRANSFERRED, {"protocol": "x"}, "pretraining.tiles.protocol: received 'x'"),
        (TRANSFERRED, {"protocol": "folds"}, "pretraining.tiles.protocol: folds has several folds"),
        (
            TRANSFERRED,
            {"training": {"train": "head"}},
            "pretraining.tiles.training.train: 'head' teaches no backbone",
        ),
        (
            TRANSFERRED,
            {"training": {"architecture": "VGG16"}},
            "pretraining.tiles.training.architecture",
        ),
        (
            TRANSFERRED,
            {"training": {"folds_in_one_job": True}},
            "pretraining.tiles.training.folds_in_one_job: a source task has one fold",
        ),
        (
            {"weights": "own.weights.h5", "preprocessing": "weights"},
            {},
            "models.net.preprocessing: received 'weights', but the pre-processing of the file",
        ),
        (
            {"weights": "own.weights.h5"},
            {},
            "models.net.preprocessing: received 'mean_image', but the pre-processing of the file",
        ),
    ],
)
def test_fault_names_the_key(model, source, expected):
    with pytest.raises(InputError) as caught:
        check(config_with(model, source))
    assert expected in str(caught.value)


def test_names():
    assert pretraining_name("pcam", "DenseNet-169") == "pcam_densenet169"
    assert source_of({"weights": {"pretrained_on": "pcam"}}) == "pcam"
    assert source_of({"weights": "imagenet"}) is source_of({}) is None


@pytest.fixture(scope="module", params=["mean_image_plain", "none"])
def exported(request, tmp_path_factory):
    """The backbone of a small network that was trained by a job of its own."""
    folder = tmp_path_factory.mktemp("source")
    images, labels = blobs()
    write_job(folder, images, labels)
    settings = model_settings(epochs=1, preprocessing=request.param)
    trained = run_job(folder, "job", settings)
    names = {"weights": "b.weights.h5", "mean_image": "mean.npy", "record": "b.json"}
    outputs = {name: str(folder / "out" / file) for name, file in names.items()}
    (folder / "out").mkdir()
    learnt = pd.DataFrame({"image_id": ["a", "b"], "label": 0, "sha256": ["1" * 64, "2" * 64]})
    learnt.to_csv(folder / "learnt.tsv", sep="\t", index=False)
    learnt = folder / "learnt.tsv"
    export_backbone(trained.model, trained.run, "cells/holdout/net", outputs, learnt)
    return folder, images, settings, trained, outputs


def test_exported_backbone_makes_the_features_of_the_trained_network(exported):
    _, images, _, trained, outputs = exported
    fresh, _ = architectures.build_backbone("simple_cnn", "flatten", images.shape[1:], seed=99)
    before = fresh.predict(images[:4].astype("float32"), verbose=0)
    architectures.load_backbone_weights(fresh, outputs["weights"])
    network = keras.saving.load_model(trained.model, compile=False).get_layer("network")
    own = keras.Model(network.input, network.get_layer("convolution_3").output)
    floats = images[:4].astype("float32")
    after = fresh.predict(floats, verbose=0)
    np.testing.assert_array_equal(after, own.predict(floats, verbose=0))
    assert not np.allclose(before, after)


def test_exported_weights_record_what_they_learnt(exported):
    # Keras reads the same file in the test above.
    assert read_learnt(exported[-1]["weights"]) == ({"1" * 16, "2" * 16}, True)


def test_exported_mean_image_is_what_was_subtracted(exported):
    folder, _, settings, _, outputs = exported
    mean_image = np.load(outputs["mean_image"])
    assert mean_image.dtype == np.float32
    expected = np.load(folder / "mean.npy")[0]
    if settings.preprocessing == "none":
        expected = np.zeros_like(expected)
    np.testing.assert_array_equal(mean_image, expected)


def test_record_says_where_the_backbone_comes_from(exported):
    _, _, _, trained, outputs = exported
    record = json.loads(Path(outputs["record"]).read_text("utf-8"))
    assert record["trained_as"] == "cells/holdout/net"
    assert record["weights_sha256"] == digest_file(outputs["weights"])
    assert record["run"] == json.loads(trained.run.read_text("utf-8"))
