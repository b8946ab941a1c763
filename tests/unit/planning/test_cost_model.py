"""The estimate of an experiment's hours against sums worked out by hand."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from support.repository import SCHEMA

from blastfold.experiment.combinations import combinations
from blastfold.experiment.config import check_config
from blastfold.planning import estimate_command
from blastfold.planning.cost_model import (
    Fold,
    Speed,
    count_images,
    disk_needs,
    estimate,
    folds_of,
)

EXPECTED = yaml.safe_load(Path("resources/datasets.yaml").read_text("utf-8"))
CELLS = {"subjects_per_class": 2, "pictures_per_subject": 1, "cells_per_picture": 10}


def checked(**changes):
    config = {
        "datasets": {"cells": {"format": "demo", "demo": {**CELLS, "duplicates": 0}}},
        "protocols": {"kfold": {"kind": "kfold", "folds": 2, "validation_fraction": 0.1}},
        "models": {"cnn": {"architecture": "simple_cnn", "epochs": 3}},
    }
    config |= changes
    config.setdefault(
        "experiments",
        [{kind: list(config[kind]) for kind in ("datasets", "protocols", "models")}],
    )
    return check_config(config, SCHEMA)


def head(**changes):
    entry = {"architecture": "MobileNetV2", "train": "head", "weights": "imagenet", "epochs": 3}
    return entry | changes


def seconds_of(config, speed):
    counts = count_images(config, EXPECTED, "no results")
    speeds = {
        (dataset, model): speed for dataset in config["datasets"] for model in config["models"]
    }
    return pd.DataFrame(estimate(config, counts, speeds))["hours"] * 3600


def test_training_of_all_layers():
    # 40 images: each of 2 folds tests 20, validates 2 of the other 20 and trains on 18.
    # A fold: start 10, 3 epochs of 18 x 0.1 + 2 x 0.02, predictions of 22 x 0.02.
    expected = 2 * (10 + 3 * (1.8 + 0.04) + 0.44)
    assert seconds_of(checked(), Speed(10, 0.1, 0.02)).tolist() == pytest.approx([expected])
    together = {"architecture": "simple_cnn", "epochs": 3, "folds_in_one_job": True}
    found = seconds_of(checked(models={"cnn": together}), Speed(10, 0.1, 0.02))
    assert found.tolist() == pytest.approx([expected - 10])


def test_every_configuration_of_a_tuned_model_is_a_training():
    model = {"architecture": "simple_cnn", "tune": {"epochs": [3, 1]}}
    expected = 2 * (10 + (3 + 1) * (1.8 + 0.04) + 2 * 0.44)
    found = seconds_of(checked(models={"cnn": model}), Speed(10, 0.1, 0.02))
    assert found.tolist() == pytest.approx([expected])


@pytest.mark.parametrize(
    ("chosen", "opened"),
    [({"share": 0.25}, {"": 30}), ({"subjects": ["healthy-1", "patient-1"]}, {"": 40})],
)
def test_locked_images_are_trained_on_by_nothing(chosen, opened):
    demo = {"format": "demo", "demo": {**CELLS, "duplicates": 0}, "locked_test": chosen}
    counts = count_images(checked(datasets={"cells": demo}), EXPECTED, "no results")
    assert counts["cells_whole"] == {"": 40}
    # The images of a subject are not known before the import.
    assert counts["cells"] == opened


@pytest.mark.parametrize(
    ("model", "extraction"),
    [
        # Every fold subtracts a mean image of its own: 40 images plain and in 3 epochs, twice.
        (head(), 10 + 2 * 4 * 40 * 0.02),
        (head(augment=False), 10 + 2 * 40 * 0.02),
        # The same features for both folds.
        (head(preprocessing="imagenet"), 10 + 4 * 40 * 0.02),
        (head(preprocessing="imagenet", augment=False), 10 + 40 * 0.02),
        # Every fold has random start weights of its own.
        (head(preprocessing="none", weights="none", augment=False), 10 + 2 * 40 * 0.02),
    ],
)
def test_training_of_heads_on_features(model, extraction):
    # One job for the heads of both folds: 3 epochs of 18 images.
    heads = 10 + 2 * 3 * 18 * 0.001
    found = seconds_of(checked(models={"mobile": model}), Speed(10, 0.001, 0.02))
    assert found.tolist() == pytest.approx([extraction + heads])


def test_repeats_are_trainings_that_share_features():
    protocol = {"kind": "kfold", "folds": 2, "validation_fraction": 0.1, "repeats": 5}
    model = head(preprocessing="imagenet", augment=False)
    config = checked(protocols={"kfold": protocol}, models={"mobile": model})
    found = seconds_of(config, Speed(10, 0.001, 0.02))
    assert found.tolist() == pytest.approx([10 + 40 * 0.02 + 10 + 5 * 2 * 3 * 18 * 0.001])


def test_models_and_protocols_share_features_where_no_fold_changes_them():
    speed = Speed(10, 0.0, 0.02)
    protocols = {
        "two": {"kind": "kfold", "folds": 2, "validation_fraction": 0},
        "four": {"kind": "kfold", "folds": 4, "validation_fraction": 0},
    }
    shared = head(preprocessing="imagenet", augment=False)
    models = {"narrow": shared, "wide": {**shared, "dense_units": [64]}}
    found = seconds_of(checked(protocols=protocols, models=models), speed)
    # Each model has a job of heads for each protocol; the first one pays for the features.
    assert found.tolist() == pytest.approx([20 + 10 + 0.8, 20])
    own = {name: {**model, "preprocessing": "mean_image"} for name, model in models.items()}
    found = seconds_of(checked(protocols=protocols, models=own), speed)
    assert found.tolist() == pytest.approx([20 + (10 + 2 * 0.8) + (10 + 4 * 0.8), 20])


def test_canaries_and_external_tests_are_counted():
    config = {
        "datasets": {
            "cells": {"format": "demo", "demo": {**CELLS, "duplicates": 0}},
            "others": {"format": "demo", "demo": {**CELLS, "duplicates": 5}},
        },
        "experiments": [
            {
                "datasets": ["cells"],
                "protocols": ["kfold"],
                "models": ["cnn"],
                "canaries": True,
                "external_test": ["others"],
            }
        ],
    }
    training = 2 * (10 + 3 * (1.8 + 0.04) + 0.44)
    # Both networks predict 45 images; canaries are trained alike and have no external test.
    external = 10 + 2 * 45 * 0.02
    found = seconds_of(checked(**config), Speed(10, 0.1, 0.02))
    assert sorted(found) == pytest.approx([training, training, training + external])


def test_source_tasks_are_counted():
    config = {
        "datasets": {
            "cells": {"format": "demo", "demo": {**CELLS, "duplicates": 0}},
            "others": {"format": "demo", "demo": {**CELLS, "duplicates": 5}},
        },
        "protocols": {
            "kfold": {"kind": "kfold", "folds": 2, "validation_fraction": 0.1},
            "holdout": {"kind": "holdout", "test_fraction": 0.2, "validation_fraction": 0.05},
        },
        "pretraining": {
            "others": {"dataset": "others", "protocol": "holdout", "training": {"epochs": 7}}
        },
        "models": {
            "net": {
                "architecture": "MobileNetV2",
                "weights": {"pretrained_on": "others"},
                "train": "all",
                "epochs": 3,
            }
        },
        "experiments": [{"datasets": ["cells"], "protocols": ["kfold"], "models": ["net"]}],
    }
    target = 2 * (10 + 3 * (1.8 + 0.04) + 0.44)
    # Of 45 images 9 test, 2 validate and 34 train the one network that both folds start from.
    source = 10 + 7 * (3.4 + 0.04) + 11 * 0.02
    found = seconds_of(checked(**config), Speed(10, 0.1, 0.02))
    assert found.tolist() == pytest.approx([target, source])


@pytest.mark.parametrize(
    ("protocol", "parts", "expected"),
    [
        # Thesis Table 5.1: 75, 5 and 20 per cent of 260 and of 10661 images.
        ({"kind": "holdout"}, {"": 260}, [Fold(195, 13, 52)]),
        ({"kind": "holdout"}, {"": 10661}, [Fold(7995, 533, 2133)]),
        (
            {"kind": "predefined", "test_parts": ["a", "b"], "validation_fraction": 0.1},
            {"a": 100, "b": 200, "c": 999},
            [Fold(180, 20, 100), Fold(90, 10, 200)],
        ),
        (
            {
                "kind": "predefined",
                "test_parts": ["c"],
                "train_parts": ["a", "c"],
                "validation_parts": ["b"],
            },
            {"a": 100, "b": 200, "c": 999},
            [Fold(100, 200, 999)],
        ),
    ],
)
def test_images_of_folds(protocol, parts, expected):
    config = checked(protocols={"p": protocol})
    assert folds_of(config["protocols"]["p"], parts) == expected


def test_images_come_from_the_import_or_from_what_is_known(tmp_path):
    datasets = {
        "demo": {"format": "demo"},
        "c_nmc": {"format": "c-nmc-2019", "parts": ["fold_0", "fold_2"]},
        "idb": {"format": "all-idb2"},
        "own": {"format": "folder"},
        "grown": {"format": "grown", "of": "idb", "grow": {"normal": 1034, "blast": 1049}},
    }
    config = checked(datasets=datasets)
    assert count_images(config, EXPECTED, tmp_path) == {
        "demo": {"": 2 * 8 * 2 * 9 + 6},
        "c_nmc": {"fold_0": 3527, "fold_2": 3553},
        "idb": {"": 260},
        "own": None,
        "grown": {"": 2083},
    }
    for name, images in (("own", 77), ("c_nmc", 708)):
        (tmp_path / "datasets" / name).mkdir(parents=True)
        record = tmp_path / "datasets" / name / "dataset.json"
        record.write_text(json.dumps({"images": images}))
    counts = count_images(config, EXPECTED, tmp_path)
    assert counts["own"] == {"": 77}
    assert counts["c_nmc"] == {"fold_0": 353, "fold_2": 355}


def test_unknown_numbers_of_images_are_said_and_not_guessed():
    config = checked(
        datasets={"own": {"format": "folder"}, "cells": {"format": "demo", "demo": CELLS}}
    )
    counts = count_images(config, EXPECTED, "no results")
    speeds = {("own", "cnn"): Speed(10, 0.1, 0.02), ("cells", "cnn"): Speed(10, 0.1, 0.02)}
    table = pd.DataFrame(estimate(config, counts, speeds))
    assert pd.isna(table.set_index("dataset").loc["own", "hours"])
    text = estimate_command.present(table, "cpu", 2)
    assert "The total is without own" in text
    assert "nan" not in text.lower()
    # Three folds of small images take minutes or less, which are no hours.
    assert "total: 0.0" not in text
    assert re.search(r"^cnn: [1-9]\d* (s|min)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("hours", "text"),
    [(0.002, "7 s"), (0.5, "30 min"), (2.5, "2 h 30 min"), (float("nan"), "unknown")],
)
def test_times_below_an_hour_are_minutes(hours, text):
    assert estimate_command.as_time(hours) == text


def test_a_calibration_is_made_once_and_again_for_other_settings(tmp_path):
    config = checked()
    config["datasets"]["cells"]["image_size"] = [20, 20]
    path = tmp_path / "calibration.json"
    first = estimate_command.measure(config, "cpu", 1, path)
    speed = first["cells", "cnn"]
    assert speed.start > 1
    assert 0 < speed.forward < speed.train < 1
    stored = json.loads(path.read_text())
    [entry] = stored.values()
    settings = {"architecture": "simple_cnn", "train": "all", "batch_size": 16, "stain": "none"}
    assert entry["settings"] == settings
    assert speed.features > 0
    assert speed.parameters > 1000
    assert entry["versions"]["keras"]
    # What is stored is what is used: no second measurement gives this number.
    entry["measured"]["train"] = 123.0
    path.write_text(json.dumps(stored))
    assert estimate_command.measure(config, "cpu", 1, path)["cells", "cnn"].train == 123.0
    # The learning rate does not change the speed; the size of the images does.
    config["models"]["cnn"]["learning_rate"] = 0.5
    assert estimate_command.measure(config, "cpu", 1, path)["cells", "cnn"].train == 123.0
    config["datasets"]["cells"]["image_size"] = [24, 24]
    # Other networks and compilers are timed too.
    config["models"]["cnn"]["stain"] = "macenko"
    config["xla"] = True
    assert estimate_command.measure(config, "cpu", 1, path)["cells", "cnn"].train < 1
    assert len(json.loads(path.read_text())) == 2


@pytest.mark.parametrize(
    ("change", "timed_again"),
    [
        (lambda config: config["models"]["cnn"].update(learning_rate=0.5), False),
        (lambda config: config["models"]["cnn"].update(epochs=50), False),
        (lambda config: config["models"]["cnn"].update(stain="macenko"), True),
        (lambda config: config["models"]["cnn"].update(batch_size=5), True),
        (lambda config: config["datasets"]["cells"].update(image_size=[24, 24]), True),
        (lambda config: config.update(xla=True), True),
        (lambda config: config.update(seed=5), False),
    ],
)
def test_only_what_changes_the_speed_is_timed_again(change, timed_again):
    config, other = checked(), checked()
    change(other)
    timed = [
        estimate_command.what_is_timed(each, "cells", "cnn", "cpu", 1) for each in (config, other)
    ]
    assert (timed[0] != timed[1]) == timed_again


def test_a_network_that_cannot_be_timed_is_an_error_that_says_why(tmp_path):
    config = checked()
    config["datasets"]["cells"]["image_size"] = [8, 8]
    with pytest.raises(estimate_command.CalibrationError, match="at least 18x18 pixels"):
        estimate_command.measure(config, "cpu", 1, tmp_path / "calibration.json")
    assert not (tmp_path / "calibration.json").exists()


def test_a_stain_reference_of_the_fold_is_extracted_in_every_fold():
    model = head(preprocessing="imagenet", stain="reinhard")
    plain, stained = (
        seconds_of(checked(models={"mobile": each}), Speed(0, 0.0, 0.02))[0]
        for each in (head(preprocessing="imagenet"), model)
    )
    # 40 images, plain and in 3 epochs, once more for the second fold.
    assert stained - plain == pytest.approx(4 * 40 * 0.02)


def test_a_source_task_is_a_training_of_its_own():
    demo = {"format": "demo", "demo": {**CELLS, "duplicates": 0}}
    config = {
        "datasets": {"cells": demo, "others": demo},
        "protocols": {"kfold": {"kind": "kfold", "folds": 2}, "once": {"kind": "holdout"}},
        "pretraining": {
            "source": {"dataset": "others", "protocol": "once", "training": {"epochs": 3}}
        },
        "experiments": [{"datasets": ["cells"], "protocols": ["kfold"], "models": ["cnn"]}],
        "models": {
            "cnn": {"architecture": "MobileNetV2", "weights": {"pretrained_on": "source"}},
        },
    }
    found = seconds_of_all(checked(**config), Speed(10, 0.1, 0.02))
    assert list(found) == ["cnn", "source_mobilenetv2"]
    assert found["source_mobilenetv2"] > 0


def seconds_of_all(config, speed):
    counts = count_images(config, EXPECTED, "no results")
    speeds = {(dataset, model): speed for dataset, _, model in combinations(config)}
    table = pd.DataFrame(estimate(config, counts, speeds))
    return dict(zip(table["model"], table["hours"] * 3600, strict=True))


def needs_of(config, features=0, parameters=0):
    counts = count_images(config, EXPECTED, "no results")
    speed = Speed(10, 0.1, 0.02, features, parameters)
    speeds = {(dataset, model): speed for dataset, _, model in combinations(config)}
    return disk_needs(config, counts, speeds)


def test_disk_of_images_and_networks():
    needs = needs_of(checked(), parameters=10**9)
    height, width = checked()["datasets"]["cells"]["image_size"]
    assert needs["images"] == pytest.approx(40 * height * width * 3 / 2**30)
    # Two folds of one network with 4 bytes a weight.
    assert needs["networks"] == pytest.approx(2 * 4e9 / 2**30)
    assert needs["features"] == 0


@pytest.mark.parametrize(
    ("models", "views"),
    [
        # Plain and three epochs, in both folds.
        ([head()], 2 * 4),
        ([head(augment=False)], 2),
        ([head(preprocessing="imagenet")], 4),
        ([head(preprocessing="imagenet", stain="macenko")], 2 * 4),
        # Two heads on the same features: those of the longer training.
        ([head(preprocessing="imagenet"), head(preprocessing="imagenet", epochs=9)], 10),
        ([head(features="online")], 0),
    ],
)
def test_disk_of_features(models, views):
    named = {f"model_{number}": model for number, model in enumerate(models)}
    needs = needs_of(checked(models=named), features=10**7)
    assert needs["features"] == pytest.approx(views * 40 * 1e7 * 4 / 2**30)


def test_the_estimate_names_disk_and_remedy(tmp_path):
    config = checked()
    text = estimate_command.present_disk({"images": 1e9, "features": 2e9}, tmp_path / "a", config)
    assert "at most 3000000000.0 GB" in text
    assert "keep_features: false" in text
    small = estimate_command.present_disk({"images": 0.01}, tmp_path, {"keep_features": False})
    assert "at most 10 MB under" in small
    assert "Features are removed" in small


def test_a_data_set_that_grows_by_a_factor_is_counted():
    config = checked(
        datasets={
            "cells": {"format": "demo", "demo": {**CELLS, "duplicates": 0}},
            "more": {"format": "grown", "of": "cells", "grow": {"times": 8}},
        }
    )
    assert count_images(config, EXPECTED, "no results")["more"] == {"": 320}
