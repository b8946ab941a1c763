"""Ablations in the config: names, what they expand into, and every fault named by its key."""

import pytest
import yaml
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.ablations import (
    ablation_cells,
    ablation_contrasts,
    level_word,
    share_protocol,
)
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config import check_config


def config_with(models=None, protocols=None, **changes):
    entry = {
        "datasets": ["cells"],
        "protocols": ["folds"],
        "model": "cnn",
        "vary": {"train": ["all", "head"], "preprocessing": ["none", "mean_image"]},
    }
    return {
        "datasets": {"cells": {"format": "folder"}, "tiles": {"format": "folder"}},
        "protocols": {
            "folds": {"kind": "kfold", "folds": 3, "group_by": "subject"},
            "holdout": {"kind": "holdout"},
            **(protocols or {}),
        },
        "models": {"cnn": {"architecture": "simple_cnn", "title": "CNN"}, **(models or {})},
        "pretraining": {"tiles": {"dataset": "tiles", "protocol": "holdout", "title": "tiles X"}},
        "ablations": {"what": entry | changes},
    }


def check(config):
    return check_config(config, SCHEMA, "mine.yaml")


def fault_of(config):
    with pytest.raises(InputError) as caught:
        check(config)
    return str(caught.value)


def test_cells_are_the_product_with_the_reference_first():
    config = check(config_with())
    runs = combinations(config)
    assert runs == [
        ("cells", "folds", f"what_{train}_{mean}")
        for train in ("all", "head")
        for mean in ("none", "mean_image")
    ]
    cell = config["models"]["what_head_mean_image"]
    assert (cell["train"], cell["preprocessing"]) == ("head", "mean_image_plain")
    assert cell["title"] == "CNN, head, mean image"
    # What does not vary is that of the model, which stays as it is.
    assert cell["architecture"] == "simple_cnn"
    assert config["models"]["cnn"]["train"] == "all"
    assert config["models"]["cnn"]["title"] == "CNN"


def test_source_tasks_of_cells_are_trained_too_and_named_after_the_network():
    vary = {"weights": ["none", {"pretrained_on": "tiles"}], "train": ["all", "staged"]}
    config = check(config_with(vary=vary))
    assert config["models"]["what_tiles_staged"]["weights"] == {"pretrained_on": "tiles"}
    assert config["models"]["what_tiles_staged"]["title"] == "CNN, tiles X, staged"
    assert ("tiles", "holdout", "tiles_simplecnn") in combinations(config)
    assert config["models"]["tiles_simplecnn"]["title"] == "CNN on tiles X"


def test_shares_are_the_same_folds_with_fewer_groups():
    config = check(config_with(vary={}, training_shares=[0.5, 0.125]))
    assert combinations(config) == [
        ("cells", protocol, "cnn") for protocol in ("folds_share_12_5", "folds_share_50", "folds")
    ]
    half = config["protocols"]["folds_share_50"]
    assert (half["same_folds_as"], half["training_share"]) == ("folds", 0.5)
    assert (half["kind"], half["folds"], half["group_by"]) == ("kfold", 3, "subject")
    assert config["protocols"]["folds"]["training_share"] == 1


def test_shares_of_a_protocol_that_repeats_folds_are_drawn_as_the_first_one():
    again = {
        "again": {"kind": "kfold", "folds": 3, "group_by": "subject", "same_folds_as": "folds"}
    }
    config = config_with(protocols=again, vary={}, training_shares=[0.5])
    config["ablations"]["what"]["protocols"] = ["again"]
    config = check(config)
    assert config["protocols"]["again_share_50"]["same_folds_as"] == "folds"


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (True, "on"),
        (False, "off"),
        (None, "none"),
        (0.001, "0_001"),
        (10, "10"),
        ([], "none"),
        ([256, 64], "256_64"),
        ("mean_image", "mean_image"),
        ("DenseNet-169", "densenet_169"),
        ("resources/weights/Own Net.v2.weights.h5", "own_net"),
        ({"pretrained_on": "pcam"}, "pcam"),
        ({"brightness": 0.1}, ""),
    ],
)
def test_every_simple_value_has_a_plain_word(value, word):
    assert level_word(value) == word


def test_contrasts_follow_the_comparisons_with_the_reference():
    entry = {
        "vary": {"weights": ["none", "imagenet", {"pretrained_on": "x"}], "augment": [True, False]},
        "contrasts": {"weights": [["x", "imagenet"], ["imagenet", "none"]]},
    }
    assert ablation_contrasts(entry) == [
        ("weights", "imagenet", "none"),
        ("weights", "x", "none"),
        ("weights", "x", "imagenet"),
        ("augment", "off", "on"),
    ]


def test_name_of_a_share():
    assert share_protocol("folds", 1) == share_protocol("folds", 1.0) == "folds"
    assert share_protocol("folds", 0.29) == "folds_share_29"


def test_cells_know_their_levels():
    cells = ablation_cells("x", {"vary": {"augment": [True, False], "epochs": [2, 5]}})
    assert [cell["model"] for cell in cells] == ["x_on_2", "x_on_5", "x_off_2", "x_off_5"]
    assert cells[2]["levels"] == {"augment": "off", "epochs": "2"}
    assert cells[2]["values"] == {"augment": False, "epochs": 2}
    assert ablation_cells("x", {"vary": {}}) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"datasets": ["smears"]}, "ablations.what.datasets: received 'smears', expected one of"),
        ({"protocols": ["folds", "x"]}, "ablations.what.protocols: received 'x', expected one of"),
        ({"model": "vgg"}, "ablations.what.model: received 'vgg', expected one of the models"),
        ({"vary": {"wieghts": ["none", "imagenet"]}}, "ablations.what.vary.wieghts: unknown key"),
        ({"vary": {"title": ["a", "b"]}}, "ablations.what.vary.title: unknown key"),
        (
            {"vary": {"train": ["all", "most"]}},
            "ablations.what.vary.train: received 'most', expected one of ['head', 'staged', 'all']",
        ),
        ({"vary": {"train": ["all"]}}, "ablations.what.vary.train: received ['all'], expected two"),
        ({"vary": {"train": []}}, "ablations.what.vary.train: received [], expected two values"),
        ({"vary": {}}, "ablations.what: has nothing to vary"),
        ({"vary": {"train": "all"}}, "ablations.what.vary.train: received 'all', expected array"),
        (
            {"contrasts": {"weights": [["a", "b"]]}},
            "ablations.what.contrasts.weights: expected one of the keys that vary",
        ),
        (
            {"contrasts": {"train": [["all", "staged"]]}},
            "ablations.what.contrasts.train: received 'staged', expected two of ['all', 'head']",
        ),
        ({"contrasts": {"train": [["all"]]}}, "ablations.what.contrasts.train.0"),
        ({"datasets": []}, "ablations.what.datasets"),
        ({"training_shares": [0]}, "ablations.what.training_shares.0: 0 is less than or equal"),
        ({"training_shares": ["half"]}, "ablations.what.training_shares.0: received 'half'"),
        ({"modle": "cnn"}, "ablations.what.modle: unknown key; did you mean 'model'?"),
        (
            {"vary": {"augmentation": [{"hue": 0}, {"hue": 0.1}]}},
            "ablations.what.vary.augmentation: received {'hue': 0}, which has no plain name",
        ),
        (
            {"vary": {"weights": ["a/x.weights.h5", "b/x.weights.h5"]}},
            "ablations.what.vary.weights: two values are both called 'x'",
        ),
        (
            {"vary": {"weights": ["none", {"pretrained_on": "pcam"}]}},
            "weights.pretrained_on: received 'pcam', expected one of the entries under pretraining",
        ),
    ],
)
def test_fault_names_the_key(changes, expected):
    config = config_with()
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}]
    config["ablations"]["what"] |= changes
    assert expected in fault_of(config)


def test_taken_names_are_faults():
    taken = {"what_all_none": {"architecture": "simple_cnn"}}
    expected = "ablations.what: makes a model what_all_none, but models.what_all_none exists"
    config = config_with(taken)
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}]
    assert expected in fault_of(config)

    config = config_with(protocols={"folds_share_50": {"kind": "holdout"}})
    config["ablations"]["what"]["protocols"] = ["folds"]
    config["ablations"]["what"]["training_shares"] = [0.5]
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}]
    expected = "makes a protocol folds_share_50, but protocols.folds_share_50 exists"
    assert expected in fault_of(config)

    # <a>_<b_c>_... and <a_b>_<c>_... may meet.
    config = config_with()
    entry = config["ablations"].pop("what")
    sources = {"head_a": dict(config["pretraining"]["tiles"]), "a": config["pretraining"]["tiles"]}
    config["pretraining"] = sources
    config["ablations"]["x"] = {**entry, "vary": {"weights": ["none", {"pretrained_on": "head_a"}]}}
    config["ablations"]["x_head"] = {**entry, "vary": {"weights": ["none", {"pretrained_on": "a"}]}}
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}]
    assert "ablations.x_head: makes a model x_head_a, as x does" in fault_of(config)


def test_a_share_of_a_share_is_a_fault():
    less = {"less": {"kind": "holdout", "training_share": 0.5}}
    config = config_with(protocols=less)
    config["ablations"]["what"] |= {"protocols": ["less"], "training_shares": [0.5]}
    config["experiments"] = [{"datasets": ["cells"], "protocols": ["folds"], "models": ["cnn"]}]
    assert "the protocol less has a training_share of its own" in fault_of(config)


@pytest.mark.parametrize(
    "broken",
    [
        {"ablations": []},
        {"ablations": {"what": None}},
        {"ablations": {"what": {"model": 3}}},
        {"ablations": {"what": {"model": "cnn", "datasets": [1], "protocols": ["folds"]}}},
        {"models": None},
        {"experiments": {}},
    ],
)
def test_what_cannot_be_understood_is_left_to_the_schema(broken):
    assert "mine.yaml is not valid" in fault_of(config_with() | broken)


def test_the_demonstration_plans_what_its_head_says():
    path = REPOSITORY / "config" / "ablation_demo.yaml"
    config = check(yaml.safe_load(path.read_text("utf-8")))
    cells = {model for _, _, model in combinations(config) if model.startswith("transfer_")}
    assert len(cells) == 12
