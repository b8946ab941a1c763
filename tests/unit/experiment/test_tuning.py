"""The key tune: configurations, equal budgets, and what is refused."""

import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.feature_sets import feature_sets
from blastfold.experiment.runs import Runs

LISTS = {"learning_rate": [0.1, 0.01, 0.001], "dropout": [0, 0.5]}


def config(tune=None, **models):
    head = {"architecture": "VGG16", "train": "head", "tune": LISTS if tune is None else tune}
    return {
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"head": head, **models},
        "experiments": [
            {"datasets": ["cells"], "protocols": ["holdout"], "models": ["head", *models]}
        ],
    }


def tuned(given, name="head"):
    return check_config(given, SCHEMA)["models"][name]["tune"]


def test_all_combinations_are_tried_in_the_order_of_the_config():
    found = tuned(config())
    assert found["criterion"] == "loss"
    assert found["possible"] == len(found["configurations"]) == 6
    assert found["configurations"][:3] == [
        {"learning_rate": 0.1, "dropout": 0},
        {"learning_rate": 0.1, "dropout": 0.5},
        {"learning_rate": 0.01, "dropout": 0},
    ]


def test_more_than_two_classes_are_not_chosen_by_a_metric_of_one():
    given = config(LISTS | {"criterion": "primary_metric"}) | {"primary_metric": "sensitivity"}
    assert tuned(given)["criterion"] == "sensitivity"
    classes = {name: [name] for name in ("healthy", "early", "late")}
    given["datasets"]["cells"] |= {"classes": classes, "positive": ["early", "late"]}
    with pytest.raises(InputError, match=r"models\.head\.tune\.criterion: .* has 3 classes"):
        tuned(given)
    assert tuned(given | {"primary_metric": "macro_auc"})["criterion"] == "macro_auc"


@pytest.mark.parametrize("positive", ["ALL", "other"])
def test_two_classes_are_not_chosen_by_a_metric_of_another_class_than_the_positive(positive):
    given = config(LISTS | {"criterion": "primary_metric"}) | {"primary_metric": "sensitivity"}
    classes = {"ALL": ["ALL"], "healthy": ["healthy"]}
    given["datasets"]["cells"] |= {"classes": classes, "positive": "ALL"}
    if positive == "other":
        # The positive class is the last one, as trainings take it.
        given["datasets"]["cells"] |= {"positive": "healthy"}
        assert tuned(given)["criterion"] == "sensitivity"
        return
    with pytest.raises(InputError, match=r"tune\.criterion: .*cells\.positive is ALL"):
        tuned(given)
    assert tuned(given | {"primary_metric": "auc"})["criterion"] == "auc"


def test_a_budget_draws_some_by_the_seed_and_the_lists():
    given = config(LISTS | {"budget": 3, "criterion": "primary_metric"})
    given["models"]["other"] = {"architecture": "DenseNet121", "train": "head"}
    given["models"]["other"]["tune"] = dict(given["models"]["head"]["tune"])
    first = tuned(given)
    assert first["criterion"] == "auc"
    everything = tuned(config())["configurations"]
    places = [everything.index(one) for one in first["configurations"]]
    assert len(places) == 3
    assert places == sorted(set(places))
    # Models with the same lists try the same, and a larger budget tries more.
    assert tuned(given, "other") == first
    more = tuned(config(LISTS | {"budget": 4}))["configurations"]
    assert [one for one in first["configurations"] if one not in more] == []
    draws = set()
    for seed in range(9):
        draws.add(str(tuned(given | {"seed": seed})["configurations"]))
    assert len(draws) > 3


def test_stored_features_have_a_view_for_every_epoch_of_the_longest_configuration():
    models = check_config(config({"epochs": [2, 7]}), SCHEMA)["models"]
    [features] = feature_sets(models.values()).values()
    assert features["epochs"] == 7


def test_models_without_a_choice_are_listed_next_to_those_with_one():
    runs = Runs(check_config(config(cnn={"architecture": "simple_cnn"}), SCHEMA))
    assert [run["model"] for run in runs.tuned] == ["head", "cnn"]
    given = config()
    del given["models"]["head"]["tune"]
    assert Runs(check_config(given, SCHEMA)).tuned == []


def model(**changes):
    return lambda given: given["models"]["head"].update(changes)


def lists(**changes):
    return lambda given: given["models"]["head"].update(tune={**LISTS, **changes})


def other(tune):
    entry = {"architecture": "simple_cnn", "tune": tune}

    def change(given):
        given["models"]["other"] = entry
        given["experiments"][0]["models"].append("other")

    return change


def ablation(given):
    given["ablations"] = {
        "what": {
            **{"datasets": ["cells"], "protocols": ["holdout"], "model": "head"},
            "vary": {"dropout": [0, 0.5]},
        }
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lists(rate=[1, 2]),
            r"models.head.tune.rate: unknown key. Expected .*learning_rate",
        ),
        (lists(dense_units=[[8], [9]]), r"models.head.tune.dense_units: unknown key"),
        (lists(learning_rate=[]), "tune.learning_rate: received .*, expected a list of 1 or more"),
        (lists(learning_rate=0.1), "tune.learning_rate: received 0.1, expected array"),
        (lists(dropout=[0, 1.5]), "tune.dropout.1: 1.5 is greater"),
        (lists(dropout=[0, 0]), "expected every value once|non-unique"),
        (model(tune={}), "models.head.tune: makes 1 configuration, of which there is nothing"),
        (model(tune={"epochs": [3]}), "models.head.tune: makes 1 configuration"),
        (lists(budget=7), "tune.budget: received 7, but the lists make 6 configurations"),
        (lists(budget=1), "tune.budget: 1 is less than the minimum of 2"),
        (lists(stages=[2, 3]), "tune.stages: belongs to train staged, received train head"),
        (lists(batch_normalisation=["frozen", "trained"]), "tune.batch_normalisation: a frozen"),
        (model(learning_rate=0.1), r"models.head.learning_rate: is chosen \(tune.learning_rate\)"),
        (
            model(tune={"epochs": [3, 9], "early_stopping": [None, 4]}),
            r"makes a configuration \(epochs 3, early_stopping 4\)",
        ),
        (
            model(tune={"epochs": list(range(1, 200)), "batch_size": list(range(1, 99))}),
            "makes 19502 configurations, expected 10000 at most",
        ),
        (
            other({"dropout": [0, 0.1]}),
            "tune.dropout: the head of simple_cnn is",
        ),
        (
            other({"epochs": [1, 2]}),
            "models.other.tune: trains 2 configurations, but models.head trains 6 on cells under "
            "holdout; expected the same number",
        ),
        (
            lambda given: given["protocols"]["holdout"].update(validation_fraction=0),
            "models.head.tune: needs validation images",
        ),
        (
            lambda given: given["experiments"][0].update(permutations=20),
            r"models.head, whose settings are chosen \(tune\); .* canaries: true",
        ),
        (ablation, "ablations.what.vary.dropout: models.head.tune chooses it"),
    ],
)
def test_a_wrong_choice_is_named(change, message):
    given = config()
    change(given)
    with pytest.raises(InputError, match=message):
        check_config(given, SCHEMA)
