"""Settings from plain values: what they hold, what they refuse, and digests without titles."""

import dataclasses
import json

import pytest
from support.trainings import job_settings, model_entry, model_settings

from blastfold.core.errors import InputError
from blastfold.core.settings import FeatureSettings, ModelSettings, head_of
from blastfold.experiment.feature_sets import feature_sets


def test_titles_and_weights_do_not_change_the_settings():
    entry = model_entry(architecture="DenseNet169")
    plain = ModelSettings.read(entry)
    renamed = ModelSettings.read({**entry, "title": "Another name", "weights": "imagenet"})
    assert renamed == plain
    assert renamed.digest() == plain.digest()
    assert plain.digest() != model_settings(architecture="DenseNet169", epochs=4).digest()


def test_settings_survive_a_record():
    settings = model_settings(architecture="VGG19", dense_units=[8, 4], dropout=0.25)
    stored = json.loads(json.dumps(settings.plain()))
    assert ModelSettings.read(stored) == settings
    assert ModelSettings.read(stored).digest() == settings.digest()


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        model_settings().epochs = 5


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"speed": 3}, r"missing keys \[\], unknown keys \['speed'\]"),
        ({"augmentation": {"hue": 0.1}}, r"AugmentationSettings: missing keys \['flip_up_down'"),
    ],
)
def test_unknown_and_missing_keys_are_named(changes, expected):
    with pytest.raises(InputError, match=expected):
        ModelSettings.read({**model_entry(), **changes})


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        # Thesis 4.7 and Fig. 4.8.
        ({"architecture": "VGG-19"}, ("flatten", [256], 0.5)),
        ({"architecture": "VGG19", "pooling": "average"}, ("average", [256], 0.5)),
        ({"architecture": "DenseNet_169"}, ("average", [], 0.0)),
        ({"architecture": "DenseNet169", "dropout": 0.3}, ("average", [], 0.3)),
        ({"architecture": "Simple_CNN", "dropout": 0.3}, ("flatten", [128], 0.0)),
    ],
)
def test_every_architecture_has_its_head(entry, expected):
    assert tuple(head_of(entry).values()) == expected


def test_features_do_not_depend_on_the_head():
    entry = model_entry(architecture="VGG16", train="head", augment=False)
    [one] = feature_sets([entry]).values()
    [other] = feature_sets([{**entry, "dense_units": [3], "dropout": 0.9}]).values()
    assert FeatureSettings.read(one) == FeatureSettings.read(other)


def test_a_job_on_the_cpu_keeps_seed_and_threads():
    job = job_settings(device="gpu", gpu=1, precision="mixed_float16", xla="auto", threads=3)
    moved = job.on_cpu()
    assert (moved.device, moved.gpu, moved.precision, moved.xla) == ("cpu", 0, "float32", False)
    assert (moved.seed, moved.threads) == (job.seed, 3)
