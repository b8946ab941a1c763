"""What a config asks of images whose counts are known before a run."""

import json

import pytest
import yaml
from support.repository import RESOURCES, SCHEMA

from blastfold.experiment.config import check_config
from blastfold.experiment.known_counts import Counts, count_problems, known_counts

PUBLIC = yaml.safe_load((RESOURCES / "datasets.yaml").read_text("utf-8"))


def config_of(dataset=None, protocol=None, grow=None, name="cells"):
    """A checked config with one data set, one protocol and perhaps a grown data set."""
    sizes = {"image_size": [32, 32]}
    datasets = {"cells": {"format": "c-nmc-2019", **sizes, **(dataset or {})}}
    if grow:
        datasets["more"] = {"format": "grown", "of": "cells", "grow": grow}
    config = {
        "datasets": datasets,
        "protocols": {"split": protocol or {"kind": "holdout"}},
        "models": {"simple_cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": [name], "protocols": ["split"], "models": ["simple_cnn"]}],
    }
    return check_config(config, SCHEMA)


def problems(tmp_path, **changes):
    return list(count_problems(config_of(**changes), PUBLIC, tmp_path))


def write_import(results, classes, parts=()):
    """Leave the summary of an import."""
    folder = results / "datasets" / "cells"
    folder.mkdir(parents=True)
    found = {"class_images": classes, "parts": dict.fromkeys(parts)}
    (folder / "dataset.json").write_text(json.dumps(found))


def test_a_grown_data_set_must_have_room_for_its_originals(tmp_path):
    write_import(tmp_path, {"normal": 1163, "blast": 2418})
    found = problems(tmp_path, grow={"normal": 1000, "blast": 9000})
    assert found == [
        "datasets.more.grow.normal: received 1000, but the data set has 1163 normal images, and "
        "growing keeps all of them. Expected at least 1163, or times: 2"
    ]
    assert not problems(tmp_path, grow={"normal": 1163, "blast": 9000})
    assert not problems(tmp_path, grow={"times": 2})


def test_a_folder_may_hold_a_sample_of_a_public_data_set(tmp_path):
    assert known_counts("cells", config_of(), PUBLIC, tmp_path).classes == {}
    assert not problems(tmp_path, grow={"normal": 10, "blast": 10})


def test_an_import_decides_where_there_is_one(tmp_path):
    write_import(tmp_path, {"normal": 7, "blast": 9}, ["a"])
    assert known_counts("cells", config_of(), PUBLIC, tmp_path) == Counts(
        {"normal": 7, "blast": 9}, ("a",)
    )
    folds = {"kind": "kfold", "folds": 8}
    assert problems(tmp_path, protocol=folds) == [
        "protocols.split.folds: received 8, but data set cells has 7 normal images. Expected no "
        "more folds than that"
    ]


def test_parts_of_a_protocol_must_exist(tmp_path):
    named = {"kind": "predefined", "test_parts": ["fold_0", "fold_7"]}
    assert problems(tmp_path, protocol=named) == [
        "protocols.split: received the parts ['fold_7'], but data set cells has "
        f"{list(PUBLIC['c-nmc-2019']['parts'])}. Expected names among these"
    ]


def test_a_single_part_to_test_on_leaves_the_others_to_train_on(tmp_path):
    split = {"kind": "predefined", "test_parts": ["test"]}
    one, known = {"format": "folder"}, {"format": "pcam"}
    assert not problems(tmp_path, dataset=one, protocol=split)
    assert not problems(tmp_path, dataset=known, protocol=split)
    named = {**split, "validation_parts": ["val"]}
    assert not problems(tmp_path, dataset=known, protocol=named)
    few = {"format": "pcam", "parts": ["test", "valid"]}
    assert problems(tmp_path, dataset=few, protocol=split) == [
        "protocols.split.train_parts: nothing is left to train on when 'test' of data set cells "
        "is tested, whose parts are ['test', 'valid']. Expected a part that is neither tested nor "
        "validated"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": {"format": "folder"}},
        {"dataset": {"format": "folder"}, "grow": {"normal": 1, "blast": 1}},
        {"dataset": {"format": "folder"}, "protocol": {"kind": "kfold", "folds": 99}},
        {
            "dataset": {"format": "folder"},
            "protocol": {"kind": "predefined", "test_parts": ["any", "other"]},
        },
    ],
)
def test_what_is_not_known_is_not_judged(tmp_path, changes):
    assert not problems(tmp_path, **changes)
