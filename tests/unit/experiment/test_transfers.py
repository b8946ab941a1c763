"""Ways from start weights to target tasks, as the schematic shows them."""

from support.repository import SCHEMA

from blastfold.experiment.config import check_config
from blastfold.experiment.transfers import starts_from_sources, transfers
from blastfold.reporting.figures.transfer import describe_way, schematic

SOURCE = {"dataset": "patches", "protocol": "holdout", "title": "Patches of {lymph} nodes"}


def config_of(**models):
    return check_config(
        {
            "datasets": {
                "cells": {"format": "folder", "title": "Cells"},
                "others": {"format": "folder"},
                "patches": {"format": "pcam"},
            },
            "protocols": {"holdout": {"kind": "holdout"}, "folds": {"kind": "kfold"}},
            "pretraining": {"source": SOURCE},
            "models": models,
            "experiments": [
                {
                    "datasets": ["cells", "others"],
                    "protocols": ["holdout", "folds"],
                    "models": list(models),
                    "canaries": True,
                }
            ],
        },
        SCHEMA,
    )


def test_models_of_one_start_are_one_way_and_source_tasks_come_first():
    own = {"architecture": "VGG19"}
    moved = own | {"weights": {"pretrained_on": "source"}, "train": "head"}
    config = config_of(a=own, b=own | {"weights": "imagenet"}, c=moved, d=moved | {"epochs": 2})
    assert starts_from_sources(config)
    found = transfers(config)
    assert [way["start"] for way in found] == ["source", "none", "imagenet"]
    # Neither canaries nor the source task itself, and every model once for two protocols.
    assert found[0]["targets"] == {"Cells": ["c", "d"], "others": ["c", "d"]}
    assert (found[0]["source"], found[0]["source_dataset"]) == (SOURCE["title"], "patches")
    start, network, target = describe_way(found[0])
    assert "Patches of {lymph} nodes" in start.replace("\n", " ")
    assert "frozen" in network
    assert "Cells: c; d" in target
    texts = [text.get_text() for text in schematic(found).axes[0].texts]
    assert start in texts
    assert sum(text == "weights" for text in texts) == 3


def test_without_a_source_task_there_is_no_figure():
    assert not starts_from_sources(config_of(a={"architecture": "simple_cnn"}))
    many = [{"architecture": "a", "start": "none", "train": "all", "targets": {}}] * 15
    [figure_text] = schematic(many).texts
    assert figure_text.get_text() == "3 further ways are not drawn."
