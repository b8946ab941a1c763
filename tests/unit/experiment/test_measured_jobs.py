"""The jobs whose cost is measured: those of the experiment, of every rule that is measured."""

import re

import yaml
from support.repository import REPOSITORY, SCHEMA, SCHEMAS
from support.stage_imports import RULE, rule_files

from blastfold.experiment.config import check_config
from blastfold.experiment.experiment import Experiment
from blastfold.experiment.measured_jobs import measured_jobs

TRAININGS = {"train_model", "train_folds", "train_heads"}
NOT_OF_A_DATA_SET = {"tile_slide"}


def jobs_of(config):
    checked = check_config(config, SCHEMA)
    experiment = Experiment.read(checked, SCHEMAS / "slides.schema.yaml")
    return measured_jobs(experiment.runs, experiment.training)


def default_experiment():
    return yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))


def test_the_default_experiment_has_jobs_of_every_measured_rule():
    measured = {
        name
        for path in rule_files()
        for _, name, body in RULE.findall(path.read_text("utf-8"))
        if re.search(r"^ +benchmark:", body, re.MULTILINE)
    }
    found = {job.rule for job in jobs_of(default_experiment())}
    assert found == measured - TRAININGS - NOT_OF_A_DATA_SET - {"fit_stain"}


def test_places_are_those_of_the_rules():
    patterns = {}
    for path in rule_files():
        for _, name, body in RULE.findall(path.read_text("utf-8")):
            for place in re.findall(r'"<benchmarks>/\w+/(.+)\.tsv"', body):
                patterns[name] = re.sub(r"{\w+}", "[^/]+", place)
    for rule, dataset, place in jobs_of(default_experiment()):
        assert re.fullmatch(patterns[rule], place), (rule, place)
        assert place.split("/")[0] == dataset


def test_a_model_that_leaves_takes_its_jobs_along():
    config = default_experiment()
    before = jobs_of(config)
    config["models"]["stained"] = {
        **{"architecture": "MobileNetV2", "train": "head", "stain": "reinhard"},
    }
    config["experiments"].append(
        {"datasets": ["demo"], "protocols": ["holdout"], "models": ["stained"]}
    )
    after = jobs_of(config)
    assert set(before) < set(after)
    added = {(job.rule, job.place.rpartition("/")[0]) for job in set(after) - set(before)}
    assert ("fit_stain", "demo/holdout") in added
    assert any(rule == "extract_features" for rule, _ in added)
