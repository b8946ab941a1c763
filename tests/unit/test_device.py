"""The device: demanded, found, or the CPU with a loud word; this machine has no GPU."""

import logging

import pytest

from blastfold import device
from blastfold.errors import MissingDeviceError

pytestmark = pytest.mark.skipif(
    bool(device.tf.config.list_physical_devices("GPU")), reason="this machine has a GPU"
)


def test_cpu_is_taken_without_a_word(caplog):
    assert device.set_up_device("cpu", threads=1, gpu=0) == "CPU"
    assert caplog.text == ""


@pytest.mark.parametrize("gpu", [0, 1])
def test_auto_says_loudly_that_it_trains_on_the_cpu(caplog, gpu):
    with caplog.at_level(logging.WARNING):
        assert device.set_up_device("auto", threads=1, gpu=gpu) == "CPU"
    assert "training on the CPU" in caplog.text


@pytest.mark.parametrize("gpu", [0, 1])
def test_a_demanded_gpu_that_is_missing_is_an_error(gpu):
    with pytest.raises(MissingDeviceError, match=f"gpu is {gpu}.*CUDA_VISIBLE_DEVICES"):
        device.set_up_device("gpu", threads=1, gpu=gpu)
    assert device.peak_device_memory() is None
