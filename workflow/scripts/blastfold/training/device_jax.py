"""Devices of JAX; :mod:`blastfold.training.device` chooses between the backends."""

import importlib
import os
from collections.abc import Callable

import keras
import numpy as np

# Without this JAX takes three quarters of the memory of the GPU, and a second process fails.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
# XLA reads its flags once, when the first device is looked for; they affect only GPUs.
os.environ["XLA_FLAGS"] = " ".join(
    [os.environ.get("XLA_FLAGS", ""), "--xla_gpu_deterministic_ops=true"]
).strip()

# Imported by name: JAX is optional and not part of the environments of the rules.
jax = importlib.import_module("jax")

library = jax
VERSION = jax.__version__


def set_threads(threads: int) -> bool:
    """Limit the threads of the CPU; this has no effect after JAX has started."""
    os.environ["NPROC"] = str(threads)
    return True


def find_gpu() -> str | None:
    """Return the name of the first visible GPU, for instance ``"NVIDIA A100"``; None without."""
    device = _gpu()
    return device.device_kind if device else None


def use_gpu() -> None:
    """Run this process on the first visible GPU only."""
    jax.config.update("jax_default_device", _gpu())


def use_cpu() -> None:
    """Run this process without any GPU."""
    # The first line works before JAX has started, the second one afterwards.
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_default_device", jax.local_devices(backend="cpu")[0])


def set_deterministic() -> None:
    """Make operations bit-reproducible: the flag at the top of this module does so."""


def compute_capability() -> tuple[int, int] | None:
    """Return the CUDA compute capability of the GPU in use; None on a CPU or when unknown."""
    device = jax.config.jax_default_device
    text = getattr(device, "compute_capability", None)
    if not isinstance(text, str) or device.platform == "cpu":
        return None
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


def peak_memory() -> int | None:
    """Return the peak memory of the GPU in bytes; None on a CPU."""
    device = jax.config.jax_default_device
    if device is None or device.platform == "cpu":
        return None
    return (device.memory_stats() or {}).get("peak_bytes_in_use")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether XLA raised an error because the memory of the device is full."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def compiled(model: keras.Model, jit_compile: bool) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a model for each number of images; returns a function from images to outputs."""
    run = jax.jit(lambda *values: model.stateless_call(*values, training=False)[0])

    def predict(images: np.ndarray) -> np.ndarray:
        # Keras hands the arrays of a model to its own predictions, which replace them.
        state = [
            [variable.value for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        ]
        return np.asarray(run(*state, images))

    return predict


def gradient(function, point):
    """Return the gradient of a function at a point, and what else it returns there.

    Args:
        function: From an array to a scalar and anything else.
        point: The array.
    """
    return jax.grad(function, has_aux=True)(point)


def describe_build() -> str:
    """Describe the installed build."""
    return f"JAX {VERSION} with the platforms {sorted({d.platform for d in jax.devices()})}"


def _gpu():
    try:
        return jax.devices("gpu")[0]
    except RuntimeError:
        return None
