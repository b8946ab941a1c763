"""Which split accuracy and cost are compared under, and which networks differ in their speed."""

import pytest
from support.repository import SCHEMA

from blastfold.experiment.config import check_config
from blastfold.experiment.cost_inputs import honest_split
from blastfold.experiment.experiment import Experiment

PROTOCOLS = {
    "holdout": {"kind": "holdout", "title": "Hold-out"},
    "subjects": {"kind": "kfold", "folds": 3, "group_by": "subject", "title": "By subject"},
    "groups": {"kind": "kfold", "folds": 3, "group_by": "group", "title": "By group"},
}
MODELS = {
    "cnn": {"architecture": "simple_cnn", "title": "CNN"},
    "slow": {"architecture": "simple_cnn", "epochs": 90},
    "normalised": {"architecture": "simple_cnn", "stain": "reinhard"},
    "random": {"architecture": "vgg16", "weights": "none", "train": "head"},
    "learnt": {"architecture": "vgg16", "weights": "none"},
    "known": {"architecture": "vgg16", "weights": "imagenet", "train": "head"},
}


def make(experiments, **more):
    config = {
        "datasets": {
            "cells": {"format": "folder", "image_size": [40, 40]},
            "smears": {"format": "demo", "image_size": [40, 40]},
            "large": {"format": "demo", "image_size": [64, 40]},
        },
        "protocols": PROTOCOLS,
        "models": MODELS,
        "experiments": [
            {"datasets": [dataset], "protocols": [protocol], "models": models}
            for dataset, protocol, models in experiments
        ],
    }
    schemas = SCHEMA, SCHEMA.with_name("slides.schema.yaml")
    return Experiment.read(check_config(config | more, schemas[0]), schemas[1], "results")


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        # The coarsest grouping wins, then the most models.
        ({"holdout": 3, "subjects": 2, "groups": 2}, "groups"),
        ({"holdout": 3, "subjects": 2}, "subjects"),
        # One model has no other one to be compared with.
        ({"subjects": 2, "groups": 1}, "subjects"),
        # A split by image rewards what recognises subjects.
        ({"holdout": 3}, None),
    ],
)
def test_models_are_compared_under_the_split_that_keeps_most_together(splits, expected):
    asked = [("cells", name, list(MODELS)[:count]) for name, count in splits.items()]
    split = honest_split(make(asked).runs, "cells")
    assert (split and split.protocol) == expected


def test_random_frozen_backbones_are_marked():
    costs = make([("cells", "subjects", list(MODELS))]).costs
    assert {run["model"]: run["random_backbone"] for run in costs.ranked_runs} == {
        "cnn": False,
        "slow": False,
        "normalised": False,
        "random": True,
        "learnt": False,
        "known": False,
    }


def test_a_model_and_itself_with_other_seeds_are_ranked_as_one():
    models = MODELS | {"again": MODELS["cnn"] | {"title": "CNN, other seeds"}}
    costs = make([("cells", "subjects", ["cnn", "slow", "again"])], models=models).costs
    assert [run["model"] for run in costs.ranked_runs] == ["cnn", "slow"]


def test_networks_of_equal_speed_are_measured_once():
    costs = make([("cells", "subjects", list(MODELS)), ("smears", "holdout", ["cnn"])]).costs
    assert [network["runs"] for network in costs.measured_networks] == [
        [["cells", "cnn"], ["cells", "slow"], ["smears", "cnn"]],
        [["cells", "normalised"]],
        [["cells", "random"], ["cells", "learnt"], ["cells", "known"]],
    ]
    other = make([("smears", "holdout", ["cnn"]), ("large", "holdout", ["cnn"])]).costs
    assert [network["shape"] for network in other.measured_networks] == [[40, 40, 3], [64, 40, 3]]


def test_a_comparison_in_files_is_that_of_its_runs():
    costs = make([("cells", "subjects", ["cnn", "random"]), ("cells", "holdout", ["cnn"])]).costs
    place = "<results>/evaluation/cells/subjects"
    assert costs.comparisons == [f"{place}/comparisons.tsv"]
    assert costs.intervals == [f"{place}/{model}/intervals.tsv" for model in ("cnn", "random")]
    assert costs.networks == [
        {"dataset": "cells", "model": model, "height": 40, "width": 40}
        for model in ("cnn", "random")
    ]
    assert len(costs.layers) == 2


def test_measurements_can_be_left_out():
    asked = [("cells", "subjects", ["cnn"])]
    assert make(asked).costs.measured == "<results>/costs/measured.tsv"
    assert make(asked, measure_speed=False).costs.measured == []
