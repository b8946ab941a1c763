"""A source task and the transfer of its backbone, through the workflow."""

import json

import keras
import numpy as np
import pandas as pd
import pytest
from support.workflow import small_experiment, snakemake, write_cells

from blastfold.core.files import digest_file
from blastfold.networks import (
    augmentation,  # noqa: F401
    layers,  # noqa: F401
)
from blastfold.training.backbone_export import mean_image_of

SOURCE = "results/training/others/holdout/before_simplecnn/fold-0/model.keras"
HEADS = "results/training/cells/by_subject/transferred"
TARGET = f"{HEADS}/networks/fold-0.keras"
EXPLAINED = "results/tables/cells/by_subject/attribution/cells"
CONVOLUTIONS = ("convolution_1", "convolution_2", "convolution_3")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transfer")
    write_cells(folder / "resources/raw/cells", subjects=3)
    write_cells(folder / "resources/raw/others", subjects=4, each=5)
    config = small_experiment()
    # Maps of 20 pixels have one place, of which there is no attribution.
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["datasets"]["others"] = dict(config["datasets"]["cells"])
    config["protocols"]["by_subject"] = {
        "kind": "holdout",
        "group_by": "subject",
        "test_fraction": 0.3,
        "validation_fraction": 0,
    }
    config["pretraining"] = {
        "before": {"dataset": "others", "protocol": "holdout", "training": {"epochs": 2}}
    }
    config["models"]["transferred"] = {
        "architecture": "simple_cnn",
        "weights": {"pretrained_on": "before"},
        "preprocessing": "weights",
        "train": "head",
        "epochs": 2,
    }
    config["experiments"] = [
        {
            **{"datasets": ["cells"], "protocols": ["by_subject"], "models": ["transferred"]},
            "attribution": 2,
        }
    ]
    targets = [f"{HEADS}/networks", "results/publication/methods.md"]
    targets += ["results/figures/transfer.svg", f"{EXPLAINED}.tsv", f"{EXPLAINED}.md"]
    run = snakemake(folder, *targets, config=config)
    assert run.returncode == 0, run.stdout
    return folder


def load(path):
    return keras.saving.load_model(path, compile=False)


def test_the_frozen_backbone_is_that_of_the_source_task(finished):
    source, target = (load(finished / place).get_layer("network") for place in (SOURCE, TARGET))
    for name in CONVOLUTIONS:
        pairs = zip(
            source.get_layer(name).get_weights(), target.get_layer(name).get_weights(), strict=True
        )
        for learnt, kept in pairs:
            np.testing.assert_array_equal(learnt, kept)
    heads = [
        np.concatenate([weight.ravel() for weight in network.get_layer("head").get_weights()])
        for network in (source, target)
    ]
    assert not np.allclose(*heads)


def test_the_source_s_mean_image_is_subtracted(finished):
    subtracted = mean_image_of(load(finished / TARGET))
    learnt = np.load(finished / "results/mean_images/others/holdout.npy")[0]
    np.testing.assert_array_equal(subtracted, learnt)
    assert learnt.max() > 100


def test_the_stored_network_predicts_what_the_table_holds(finished):
    images = np.load(finished / "results/datasets/cells/images.npy")
    manifest = pd.read_csv(finished / "results/datasets/cells/manifest.tsv", sep="\t")
    predictions = pd.read_csv(finished / HEADS / "predictions.tsv", sep="\t")
    rows = pd.Index(manifest["image_id"]).get_indexer(predictions["image_id"])
    probability = load(finished / TARGET).predict(images[rows], verbose=0)[:, -1]
    np.testing.assert_allclose(probability, predictions["probability_blast"], atol=1e-6)


def test_the_source_task_has_its_record_and_its_test(finished):
    place = finished / "results/pretraining/before"
    record = json.loads((place / "simplecnn.json").read_text("utf-8"))
    assert record["trained_as"] == "others/holdout/before_simplecnn"
    assert record["weights_sha256"] == digest_file(place / "simplecnn.weights.h5")
    path = finished / "results/evaluation/others/holdout/before_simplecnn/metrics.tsv"
    metrics = pd.read_csv(path, sep="\t").set_index(["scope", "metric"])["value"]
    assert 0 <= metrics["pooled", "accuracy"] <= 1
    [run] = json.loads((finished / HEADS / "runs.json").read_text("utf-8"))
    assert run["digests"]["weights"] == record["weights_sha256"]


def test_the_transfer_is_drawn(finished):
    drawn = (finished / "results/figures/transfer.svg").read_text("utf-8")
    assert "<svg" in drawn
    assert len(drawn) > 5000


def test_methods_tell_of_the_transfer(finished):
    methods = (finished / "results/publication/methods.md").read_text("utf-8")
    assert "weights of the source task before" in methods
    assert "the mean image of the source task" in methods


def test_a_frozen_backbone_with_its_head_is_explained_on_test_cells(finished):
    place = finished / "results/attribution/cells/by_subject/cells"
    [model] = json.loads((place / "record.json").read_text("utf-8"))["models"]
    assert (model["layer"], model["size"], model["note"]) == ("convolution_3", [4, 4, 128], "")
    drawn = pd.read_csv(place / "cells.tsv", sep="\t")
    predictions = pd.read_csv(finished / HEADS / "predictions.tsv", sep="\t")
    tested = predictions.query("role == 'test'").set_index("image_id")
    assert drawn["weight"].sum() == len(tested)
    called = (tested.loc[drawn["image_id"], "probability_blast"] >= 0.5).astype(int)
    assert drawn["predicted"].tolist() == called.tolist()
    manifest = pd.read_csv(finished / "results/datasets/cells/manifest.tsv", sep="\t")
    assert manifest["image_id"][drawn["row"]].tolist() == drawn["image_id"].tolist()
    table = pd.read_csv(finished / f"{EXPLAINED}.tsv", sep="\t")
    assert set(table["class"]) == {"normal", "blast"}
    assert set(table["model_title"]) == {"transferred"}
    assert table["cells"].sum() == 2 * len(drawn)
    # Dark discs are found by their stain.
    checks = EXPLAINED.replace("attribution", "attribution_checks")
    [check] = pd.read_csv(finished / f"{checks}.tsv", sep="\t").to_dict("records")
    assert check["found_by"] == f"stain {len(drawn)}"
    figures = EXPLAINED.replace("tables", "figures")
    assert (finished / f"{figures}.png").stat().st_size > 10_000
