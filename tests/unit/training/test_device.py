"""The device: demanded, found, or the CPU with a loud word; this machine has no GPU."""

import logging

import keras
import numpy as np
import pytest
from support.trainings import blobs, build_trainer, job_settings, model_settings

from blastfold.core.errors import MissingDeviceError
from blastfold.training import device
from blastfold.training.device_setup import set_up

pytestmark = pytest.mark.skipif(
    device.framework.find_gpu() is not None, reason="this machine has a GPU"
)


def test_cpu_is_taken_without_a_word(caplog):
    assert device.set_up_device("cpu", threads=1, gpu=0) == "CPU"
    assert caplog.text == ""


@pytest.mark.parametrize("gpu", [0, 1])
def test_auto_warns_that_it_trains_on_the_cpu(caplog, gpu):
    with caplog.at_level(logging.WARNING):
        assert device.set_up_device("auto", threads=1, gpu=gpu) == "CPU"
    assert "training on the CPU" in caplog.text


@pytest.mark.parametrize("gpu", [0, 1])
def test_a_demanded_gpu_that_is_missing_is_an_error(gpu):
    with pytest.raises(MissingDeviceError, match=f"gpu is {gpu}.*CUDA_VISIBLE_DEVICES"):
        device.set_up_device("gpu", threads=1, gpu=gpu)
    assert device.peak_device_memory() is None


def test_version_is_that_of_the_backend():
    assert device.backend_version().count(".") >= 2
    assert device.framework.__name__.endswith(keras.backend.backend())


@pytest.mark.parametrize(
    ("name", "capability", "policy"),
    [
        ("CPU", None, "float32"),
        ("CPU", (9, 0), "float32"),
        ("GPU NVIDIA H100", (9, 0), "mixed_bfloat16"),
        ("GPU NVIDIA A100", (8, 0), "mixed_bfloat16"),
        ("GPU Tesla T4", (7, 5), "mixed_float16"),
        ("GPU Tesla V100", (7, 0), "mixed_float16"),
        ("GPU Tesla P100", (6, 0), "float32"),
        ("GPU of a kind not known", None, "mixed_float16"),
    ],
)
def test_precision_follows_the_units_of_the_device(name, capability, policy):
    assert device.precision_of(name, capability) == policy
    assert keras.dtype_policies.get(policy).variable_dtype == "float32"


def test_a_cpu_computes_in_single_precision_and_tensorflow_without_xla():
    assert device.default_precision("CPU") == "float32"
    assert device.default_jit_compile("CPU") == (keras.backend.backend() == "jax")
    assert device.default_jit_compile("GPU NVIDIA A100")


@pytest.mark.parametrize("changes", [{"xla": False}, {"xla": "auto", "deterministic": True}])
def test_jax_compiles_networks_whatever_is_asked(changes):
    images, _ = blobs()
    on_jax = keras.backend.backend() == "jax"
    assert set_up(job_settings(**changes), 1).jit_compile == on_jax
    # Keras on JAX runs every layer of a model that is not compiled alone.
    assert build_trainer(images, model_settings()).predicting.jit_compile == on_jax


def test_memory_that_is_full_is_distinguished_from_other_errors():
    too_large = 2**60
    with pytest.raises(Exception) as caught:  # noqa: PT011
        # No machine has an exabyte; what is raised is the framework's own kind of error.
        keras.ops.convert_to_numpy(keras.ops.ones((too_large,), dtype="float32"))
    assert device.is_out_of_memory(caught.value)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        keras.ops.matmul(np.ones((2, 3)), np.ones((2, 3)))
    assert not device.is_out_of_memory(caught.value)
    assert device.is_out_of_memory(MemoryError())


def test_a_compiled_prediction_is_that_of_keras_for_any_number_of_images():
    image = keras.Input((6, 6, 3), dtype="uint8")
    maps = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(image))
    output = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(maps))
    model = keras.Model(image, keras.layers.Flatten()(output))
    run = device.compiled(model, jit_compile=False)
    images = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    for count in (1, 5):
        found = run(images[:count])
        assert isinstance(found, np.ndarray)
        np.testing.assert_allclose(found, model.predict_on_batch(images[:count]), atol=1e-6)
