"""The table of networks that plans use agrees with the installed Keras."""

from pathlib import Path

import keras
import pytest

from blastfold.experiment import applications
from blastfold.experiment.applications import SMALLEST_SIZES
from blastfold.networks import smallest_sizes
from blastfold.networks.architectures import find_application


class AcceptedError(Exception):
    """Keras has accepted the size of the images and starts to build."""


@pytest.fixture
def unbuilt(monkeypatch):
    """Keras stops after it has checked the size of the images."""

    def start(*arguments, **keywords):
        raise AcceptedError

    monkeypatch.setattr("keras.src.layers.Input", start)


def test_every_network_of_keras_is_listed_and_no_other():
    assert list(SMALLEST_SIZES) == smallest_sizes.application_names()
    assert [find_application(name)[0] for name in SMALLEST_SIZES] == list(SMALLEST_SIZES)


@pytest.mark.parametrize("name", SMALLEST_SIZES)
def test_smallest_size_is_that_of_keras(name, unbuilt):
    size = SMALLEST_SIZES[name]
    with pytest.raises(AcceptedError):
        smallest_sizes.build(name, size)
    for shape in [(size - 1, size, 3), (size, size - 1, 3)]:
        with pytest.raises(ValueError, match="size must be at least"):
            getattr(keras.applications, name)(include_top=False, weights=None, input_shape=shape)


@pytest.mark.parametrize("name", ["MobileNetV2", "VGG16"])
def test_smallest_size_is_found_by_building(name):
    assert smallest_sizes.smallest_size(name) == SMALLEST_SIZES[name]


def test_table_is_what_the_command_writes():
    written = Path(applications.__file__).read_text("utf-8")
    assert smallest_sizes.table_source(SMALLEST_SIZES) == written
