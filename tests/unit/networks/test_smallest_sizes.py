"""The table of networks that plans use agrees with the installed Keras."""

import math
from pathlib import Path

import keras
import pytest

from blastfold.core.settings import head_of
from blastfold.experiment import applications
from blastfold.experiment.applications import BACKBONES, SMALLEST_SIZES
from blastfold.networks import smallest_sizes
from blastfold.networks.architectures import build_backbone, build_head, find_application
from blastfold.planning.network_sizes import network_sizes


class AcceptedError(Exception):
    """Keras has accepted the size of the images and starts to build."""


@pytest.fixture
def unbuilt(monkeypatch):
    """Keras stops after it has checked the size of the images."""

    def start(*arguments, **keywords):
        raise AcceptedError

    monkeypatch.setattr("keras.src.layers.Input", start)


def test_every_network_of_keras_is_listed_and_no_other():
    assert list(SMALLEST_SIZES) == list(BACKBONES) == smallest_sizes.application_names()
    assert [find_application(name)[0] for name in SMALLEST_SIZES] == list(SMALLEST_SIZES)


@pytest.mark.parametrize("name", SMALLEST_SIZES)
def test_smallest_size_is_that_of_keras(name, unbuilt):
    size = SMALLEST_SIZES[name]
    with pytest.raises(AcceptedError):
        smallest_sizes.build(name, size)
    for shape in [(size - 1, size, 3), (size, size - 1, 3)]:
        with pytest.raises(ValueError, match="size must be at least"):
            getattr(keras.applications, name)(include_top=False, weights=None, input_shape=shape)


def test_smallest_size_is_found_by_building():
    assert smallest_sizes.smallest_size("VGG16") == SMALLEST_SIZES["VGG16"]
    assert smallest_sizes.backbone_size("VGG16", 32) == BACKBONES["VGG16"]


@pytest.mark.parametrize(
    ("architecture", "size", "more"),
    [
        *(("simple_cnn", (257, 257), {}), ("simple_cnn", (33, 48), {})),
        *(("tiny_cnn", (22, 33), {}), ("tiny_cnn", (32, 32), {"pooling": "average"})),
        *(("separable_cnn", (21, 34), {}), ("separable_cnn", (8, 9), {"pooling": "flatten"})),
        *(("VGG16", (64, 96), {}), ("VGG16", (64, 64), {"pooling": "average"})),
        ("MobileNetV2", (96, 70), {"dense_units": [32, 8], "dropout": 0.5}),
    ],
)
def test_sizes_without_building_are_those_of_the_network(architecture, size, more):
    model = {"architecture": architecture, **more}
    head = head_of(model)
    backbone, _ = build_backbone(architecture, head["pooling"], (*size, 3))
    shape = backbone.output.shape[1:]
    built = build_head(shape, architecture, head["dense_units"], head["dropout"])
    assert network_sizes(model, size) == (
        math.prod(shape),
        backbone.count_params() + built.count_params(),
    )


def test_simple_cnn_has_the_parameters_of_the_thesis():
    # Fig. 4.8 of the thesis, at 257x257 pixels.
    assert network_sizes({"architecture": "simple_cnn"}, (257, 257))[1] == 59_075_905


def test_table_is_what_the_command_writes():
    written = Path(applications.__file__).read_text("utf-8")
    assert smallest_sizes.table_source(SMALLEST_SIZES, BACKBONES) == written
