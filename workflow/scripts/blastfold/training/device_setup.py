"""What a job computes on and how: device, precision, compilation and random generators."""

from typing import NamedTuple

import keras

from blastfold.core.settings import JobSettings
from blastfold.training import device


class Setup(NamedTuple):
    """What a job computes on and how.

    Attributes:
        device: Name of the device.
        precision: Keras' dtype policy.
        jit_compile: Whether XLA compiles the networks.
    """

    device: str
    precision: str
    jit_compile: bool


def set_up(compute: JobSettings, seed: int) -> Setup:
    """Prepare device, precision and random generators before a network is built.

    Args:
        compute: How the job computes.
        seed: Seed of all generators.
    """
    name = device.set_up_device(compute.device, compute.threads, compute.gpu)
    precision, jit_compile = compute.precision, compute.xla
    if precision == "auto":
        precision = device.default_precision(name)
    if jit_compile == "auto":
        # Not all operations are reproducible under TensorFlow's XLA.
        jit_compile = device.default_jit_compile(name) and not compute.deterministic
    jit_compile = jit_compile or device.ALWAYS_COMPILED
    keras.config.set_dtype_policy(precision)
    seed_generators(compute, seed)
    return Setup(name, precision, jit_compile)


def seed_generators(compute: JobSettings, seed: int) -> None:
    """Seed all random generators, as at the start of a job that trains one fold alone."""
    if compute.deterministic:
        device.set_deterministic(seed)
    else:
        keras.utils.set_random_seed(seed)
