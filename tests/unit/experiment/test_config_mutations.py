"""Changed configs: each is planned or refused with a message of ours, never with another error.

A config goes through the door that the Snakefile uses, and then through all that rules ask before a
job starts.
"""

import copy
import random
import re
import string

import pytest
import yaml
from support.repository import REPOSITORY, RESOURCES, SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.experiment import Experiment
from blastfold.experiment.targets import WILDCARDS, Product

SLIDE_SCHEMA = SCHEMA.with_name("slides.schema.yaml")
MUTATED = 1500
CHANGES = (1, 1, 1, 2, 3)
"""How many changes a config may have; more of them are seldom planned."""


def ready(path):
    """Return a shipped config without the files that only its users have."""
    config = yaml.safe_load(path.read_text("utf-8"))
    sources = (entry.get("training", {}) for entry in config.get("pretraining", {}).values())
    for model in (*config["models"].values(), *sources):
        if str(model.get("weights", "")).endswith(".h5"):
            model["weights"] = "imagenet"
        if "onnx" in model:
            # Planning asks only that the file exists.
            model["onnx"]["file"] = str(SCHEMA)
    if "sheet" in config.get("slides", {}):
        del config["slides"]["sheet"]
        config["slides"]["demo"] = {}
    return config


EVERY_KIND = """
name: mine
datasets:
  cells:
    format: folder
    sheet: sheet.tsv
    image_size: [80, 96]
    crop: [96, 96]
    classes: {normal: ["0", hem], blast: ["1", 2]}
  smears:
    {format: all-idb1, path: raw/smears, image_size: [80, 96], reproduces: ALL_IDB,
     locked_test: {share: 0.2}}
  official: {format: c-nmc-2019, parts: [fold_0, fold_1], duplicates: {candidates: 5}}
  cut: {format: tiles, slides: [normal-01, blast-01], image_size: [80, 80]}
  more: {format: grown, of: cells, grow: {normal: 9, blast: 9, augmentation: {hue: 0}}}
  chosen: {format: selected, of: cut, select: {share: 0.5, architecture: VGG16}}
protocols:
  held_out: {kind: holdout, group_by: group, leakage: forbid}
  folds: {kind: kfold, folds: 3, validation_group_by: image}
  fewer: {kind: kfold, folds: 3, validation_group_by: image, same_folds_as: folds}
  official: {kind: predefined, test_parts: [fold_0], train_parts: [fold_1]}
models:
  cnn: {architecture: simple_cnn, stain: macenko, early_stopping: 3, dense_units: [8]}
  head: {architecture: Xception, train: head, weights: imagenet, preprocessing: weights,
    tune: {epochs: [2, 3], learning_rate: [0.1, 0.2], budget: 3, criterion: primary_metric}}
  moved: {architecture: InceptionV3, weights: {pretrained_on: second}, preprocessing: weights}
pretraining:
  first: {dataset: smears, protocol: held_out, training: {epochs: 2, train: all}}
  second: {dataset: cut, protocol: held_out, training: {weights: {pretrained_on: first}}}
ablations:
  what:
    datasets: [cells]
    protocols: [folds]
    model: head
    vary: {weights: [none, imagenet, {pretrained_on: first}], dropout: [0, 0.5]}
    contrasts: {weights: [[imagenet, first]]}
    training_shares: [0.25, 0.5]
experiments:
  - {datasets: [cells, more], protocols: [folds, fewer], models: [cnn, moved], canaries: true}
  - {datasets: [official], protocols: [official], models: [head]}
  - {datasets: [cells], protocols: [held_out], models: [cnn], external_test: [smears]}
  - {datasets: [chosen], protocols: [held_out], models: [cnn]}
slides: {demo: {slides: 2, size: [512, 512]}, tile_size: 64, overlap: -8, mpp: 0.5}
"""
"""A config with every kind of entry, most of which the shipped ones do not have."""

BASES = {"every_kind": yaml.safe_load(EVERY_KIND)} | {
    path.name: ready(path)
    for path in (REPOSITORY / "config.yaml", *sorted((REPOSITORY / "config").glob("*.yaml")))
}

JUNK = (
    *(None, True, False, [], {}, "", " ", 0, 1, -1, 2, 2.0, 0.5, -0.0, 1e-300, 1e300, 10**30),
    *(
        float("nan"),
        float("inf"),
        -float("inf"),
        10**400,
        10**5000,
        "2",
        "1e-4",
        "none",
        "null",
        "yes",
    ),
    *([[]], [{}], {"": None}, [None], ["demo", "demo"], [1, 2], [1.0, 2.0], {"a": {"b": {}}}),
    *("ablations", "slides", "shared", "architectures", "calibration", "datasets", "training"),
    *("a/b", "../x", "/", "~", "a b", "Ä", "\0", "a\nb", "\ud800", "{x}", "{", "%s", "<results>"),
    *("x" * 300, "x" * 5000, "vgg19", "simple-cnn", "InceptionV3", "imagenet", "a.weights.h5"),
    *({"pretrained_on": "tiles"}, {"pretrained_on": []}, {"pretrained_on": None}, b"x", {1, 2}),
    *({1: 2}, {True: 1}, {None: 1}, (1, 2), 3j, ["a", ["b"]], "2022-01-01", [8, 8], [32.0, 32.0]),
)


def places(node, place=()):
    """Every place of a config, as the keys that lead there."""
    yield place
    if isinstance(node, dict | list):
        entries = node.items() if isinstance(node, dict) else enumerate(node)
        for key, entry in entries:
            yield from places(entry, (*place, key))


def at(config, place):
    for key in place:
        config = config[key]
    return config


def replace(draw, config, place, parent, key):
    parent[key] = copy.deepcopy(draw.choice(JUNK))


def remove(draw, config, place, parent, key):
    del parent[key]


def take_another(draw, config, place, parent, key):
    parent[key] = copy.deepcopy(at(config, draw.choice(list(places(config))[1:])))


def wrap(draw, config, place, parent, key):
    parent[key] = draw.choice([[parent[key]], {"x": parent[key]}, [parent[key]] * 2])


def respell(draw, config, place, parent, key):
    value = parent[key]
    if isinstance(value, bool):
        parent[key] = draw.choice([int(value), str(value), "yes", "no"])
    elif isinstance(value, int | float):
        parent[key] = draw.choice([str(value), float(value), -value, value * 1000, value / 3])
    elif isinstance(value, str):
        letter = draw.choice(string.printable)
        parent[key] = draw.choice([value.upper(), value[1:], value + letter, value * 20, [value]])


def rename(draw, config, place, parent, key):
    words = [name for other in places(config) for name in other[-1:] if isinstance(name, str)]
    names = [*words, *(junk for junk in JUNK if junk.__hash__)]
    if isinstance(parent, dict):
        parent[draw.choice(names)] = parent.pop(key)


CHANGE = (replace, replace, remove, take_another, wrap, respell, respell, rename)


def mutate(seed):
    """Return the name of a shipped config and a changed copy of it."""
    draw = random.Random(seed)
    # The shipped ones are read most often, and have fewer kinds of entries.
    name = draw.choice([*sorted(BASES), *["every_kind"] * 4])
    config = copy.deepcopy(BASES[name])
    for _ in range(draw.choice(CHANGES)):
        place = draw.choice(list(places(config)))
        if place:
            change = draw.choice(CHANGE)
            change(draw, config, place, at(config, place[:-1]), place[-1])
    return name, config


PRODUCTS = [
    Product("tables", "/".join([where, *(f"{{{field}}}" for field in fields)]), "Audit", where)
    for where, fields in WILDCARDS.items()
]
"""One table for each place where a rule may declare some."""


class Wildcards(dict):
    """Wildcards of a job: read as attributes and as a mapping."""

    __getattr__ = dict.__getitem__


def plan(config):
    """Ask for all that the rules ask before a job starts, except for raw files."""
    checked = check_config(config, SCHEMA, "mutated.yaml")
    experiment = Experiment.read(
        checked, SLIDE_SCHEMA, "results", public_counts=RESOURCES / "datasets.yaml"
    )
    for pattern in experiment.wildcard_constraints().values():
        re.compile(pattern)
    targets, training = experiment.targets, experiment.training
    stages = ("datasets", "tiles", "folds", "models", "publication")
    for paths in (targets.shown(PRODUCTS), *(getattr(targets, stage)() for stage in stages)):
        assert len(set(paths)) == len(paths)
        assert all(len(part) <= 255 for path in paths for part in path.split("/"))
    for run in experiment.runs.asked:
        wildcards = Wildcards(run._asdict())
        training.model_settings(wildcards)
        training.start(wildcards)
        experiment.inputs.protocol_settings(wildcards)
        experiment.files.records_of_training(wildcards)
    for ablation in checked["ablations"]:
        experiment.runs.plan_of(ablation)
        experiment.runs.titles_in(ablation)
    assert training.feature_sets is not None
    experiment.runs.described(experiment.runs.asked)
    experiment.files.records()
    return experiment


@pytest.mark.parametrize("name", BASES)
def test_a_shipped_config_is_planned(name):
    assert plan(BASES[name]).runs.asked


@pytest.mark.parametrize("part", range(10))
def test_a_changed_config_is_planned_or_refused(part, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    outcomes = {"planned": 0, "refused": 0}
    for seed in range(part, MUTATED, 10):
        name, config = mutate(seed)
        try:
            plan(config)
            outcomes["planned"] += 1
        except InputError as error:
            message = str(error)
            outcomes["refused"] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}, {name}: {error!r}") from error
        else:
            continue
        assert len(message) < 6_000, f"seed {seed}, {name}: {message[:200]}"
    # Both ways out are taken often.
    assert min(outcomes.values()) > 10, outcomes
