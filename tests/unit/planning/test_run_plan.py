"""The lines of a plan."""

from support.repository import SCHEMA

from blastfold.experiment.config import check_config
from blastfold.planning.run_plan import describe_trainings


def test_models_that_differ_in_the_title_alone_are_named():
    models = {
        "first": {"architecture": "simple_cnn", "title": "Simple CNN"},
        # The default, said aloud: no other model.
        "second": {"architecture": "simple_cnn", "title": "Weighted CNN", "class_weights": True},
        "third": {"architecture": "simple_cnn", "class_weights": False},
        "not_asked_for": {"architecture": "simple_cnn"},
    }
    config = {
        "datasets": {"cells": {"format": "folder", "path": "cells"}},
        "protocols": {"split": {"kind": "holdout"}},
        "models": models,
        "experiments": [
            {"datasets": ["cells"], "protocols": ["split"], "models": ["first", "second", "third"]}
        ],
    }
    assert describe_trainings(check_config(config, SCHEMA)) == (
        "3 runs (1 data set, 1 protocol, 3 models), 3 folds in all; first and second have equal "
        "settings: one model against itself"
    )
