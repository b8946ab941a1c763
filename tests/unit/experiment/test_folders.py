"""One folder of results for each experiment."""

import json

import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.folders import (
    STAGES,
    check_results_folder,
    config_names,
    experiment_folders,
    record_experiment,
)


def test_a_name_is_a_folder_below_each_of_the_three():
    assert experiment_folders(None) == {
        "results": "results",
        "logs": "logs",
        "benchmarks": "benchmarks",
    }
    assert experiment_folders("mine")["results"] == "results/mine"
    assert experiment_folders("mine")["logs"] == "logs/mine"


@pytest.mark.parametrize("name", ["datasets", "unfinished_training", "Mine", "a/b", "..", ""])
def test_a_name_is_a_plain_word_and_no_folder_of_results(name):
    config = {
        "name": name,
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["cells"], "protocols": ["holdout"], "models": ["cnn"]}],
    }
    with pytest.raises(InputError, match="name: "):
        check_config(config, SCHEMA)
    assert name not in STAGES or check_config(config | {"name": "mine"}, SCHEMA)


def test_config_files_are_named_from_the_folder_that_holds_them(tmp_path):
    work, repository = tmp_path / "work", tmp_path / "repository"
    paths = [work / "mine.yaml", repository / "config" / "thesis.yaml", tmp_path / "other.yaml"]
    assert config_names(paths, work, repository) == [
        "mine.yaml",
        "config/thesis.yaml",
        str(tmp_path / "other.yaml"),
    ]


def test_a_folder_takes_the_results_of_one_config(tmp_path):
    results = tmp_path / "results"
    check_results_folder(results, ["a.yaml"])
    assert not results.exists()
    record_experiment(results, ["a.yaml"])
    check_results_folder(results, ["a.yaml"])
    # Another workflow gave the config itself.
    check_results_folder(results, [])
    with pytest.raises(InputError) as caught:
        check_results_folder(results, ["b.yaml", "c.yaml"])
    for text in ("a.yaml", "b.yaml + c.yaml", "the key name", "--directory", "experiment.json"):
        assert text in str(caught.value)


def test_the_first_record_stays(tmp_path):
    record_experiment(tmp_path, ["a.yaml"])
    record_experiment(tmp_path, ["b.yaml"])
    assert json.loads((tmp_path / "experiment.json").read_text("utf-8"))["config"] == ["a.yaml"]


def write_summary(results, **facts):
    place = results / "datasets" / "cells"
    place.mkdir(parents=True)
    (place / "dataset.json").write_text(json.dumps({"name": "cells", **facts}), "utf-8")


def test_results_of_an_older_layout_are_refused(tmp_path):
    write_summary(tmp_path, normal=3, blast=2)
    with pytest.raises(InputError, match=r"older version.*dataset.json.*move or delete"):
        check_results_folder(tmp_path, ["a.yaml"])


def test_imported_data_sets_may_be_copied_without_the_record(tmp_path):
    write_summary(tmp_path, classes=["normal", "blast"])
    check_results_folder(tmp_path, ["a.yaml"])
    record_experiment(tmp_path, ["a.yaml"])
    check_results_folder(tmp_path, ["a.yaml"])
    with pytest.raises(InputError, match=r"a\.yaml"):
        check_results_folder(tmp_path, ["b.yaml"])


def test_results_of_another_layout_are_refused(tmp_path):
    record = {"layout": 1, "config": ["a.yaml"]}
    (tmp_path / "experiment.json").write_text(json.dumps(record), "utf-8")
    with pytest.raises(InputError, match=r"has layout 1, expected 2"):
        check_results_folder(tmp_path, ["a.yaml"])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layout": 2}', '{"layout": 2, "config": 3}'])
def test_a_damaged_record_is_named(tmp_path, text):
    (tmp_path / "experiment.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=r"experiment.json' is no record of an experiment"):
        check_results_folder(tmp_path, ["a.yaml"])
