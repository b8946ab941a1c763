"""What titles and captions say of positive classes."""

import pytest
from support.repository import SCHEMA

from blastfold.experiment.config import check_config
from blastfold.experiment.readings import Readings, positive_words
from blastfold.experiment.runs import Runs
from blastfold.experiment.shown_settings import ShownSettings

KINDS = ["neutrophil", "monocyte", "blast_l1", "blast_l2"]
CONFIG = {
    "datasets": {
        "kinds": {
            "title": "Kinds",
            "format": "demo",
            "positive": ["blast_l1", "blast_l2"],
            "demo": {"kinds": KINDS},
        },
        "cells": {"title": "Cells", "format": "demo"},
        "folders": {"title": "Folders", "format": "folder", "path": "x", "positive": "pro"},
    },
    "protocols": {"folds": {"kind": "kfold", "folds": 2}},
    "models": {"cnn": {"architecture": "simple_cnn"}},
    "experiments": [
        {"datasets": ["kinds", "cells", "folders"], "protocols": ["folds"], "models": ["cnn"]}
    ],
}


@pytest.fixture(scope="module")
def readings():
    return Readings(Runs(check_config(CONFIG, SCHEMA)))


class Wildcards(dict):
    __getattr__ = dict.__getitem__


def test_titles_name_the_positive_classes_of_more_than_two(readings):
    assert readings.title(Wildcards(dataset="kinds")) == (
        "Kinds (positive classes blast_l1, blast_l2)"
    )
    assert readings.title(Wildcards(dataset="cells")) == "Cells"
    # Only the import knows how many folders there are.
    assert readings.title(Wildcards(dataset="folders")) == "Folders (positive class pro)"


def test_captions_of_two_classes_say_nothing_more(readings):
    captions = readings.captions
    assert captions["positive"]["cells"] == captions["both"]["cells"] == ""
    assert "(blast_l1, blast_l2) against all others" in captions["positive"]["kinds"]
    assert captions["both"]["kinds"].startswith("Macro AUC, macro F1 and kappa are over all")
    assert captions["described"] == {
        "kinds": "Kinds (positive: blast_l1, blast_l2)",
        "cells": "Cells (positive: blast)",
        "folders": "Folders (positive: pro)",
    }


def test_many_positive_classes_are_named_by_the_others_or_counted():
    many = [f"k{number}" for number in range(6)]
    assert positive_words(many, ["benign"]) == "all classes but benign"
    assert positive_words(many, []) == "6 classes from k0 to k5"


def test_an_experiment_with_classes_of_its_own_is_not_called_detection_of_leukaemia():
    assert check_config(CONFIG, SCHEMA)["title"] == "Classes of images"
    assert check_config(CONFIG | {"name": "six_kinds"}, SCHEMA)["title"] == "Six kinds"
    of_two = {**CONFIG, "datasets": {"cells": {"format": "demo"}}}
    of_two["experiments"] = [{**CONFIG["experiments"][0], "datasets": ["cells"]}]
    assert check_config(of_two, SCHEMA)["title"] == "Detection of acute lymphoblastic leukaemia"


def test_the_main_document_shows_the_first_model_that_learns():
    frozen = {"architecture": "mobilenet_v2", "weights": "none", "train": "head"}
    models = {"frozen": frozen, **CONFIG["models"], "later": {"architecture": "tiny_cnn"}}
    config = {**CONFIG, "models": models}
    config["experiments"] = [{**CONFIG["experiments"][0], "models": list(models)}]
    assert ShownSettings(Runs(check_config(config, SCHEMA))).main_document["model"] == "cnn"
