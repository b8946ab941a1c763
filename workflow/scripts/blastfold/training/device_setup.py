"""What a job computes on and how: device, precision, compilation and generators."""

from typing import NamedTuple

import keras

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


def set_up(run: dict, seed: int) -> Setup:
    """Prepare device, precision and generators as the config asks for, before anything is built."""
    name = device.set_up_device(run["device"], run["threads"], run["gpu"])
    precision, jit_compile = run["precision"], run["xla"]
    if precision == "auto":
        precision = device.default_precision(name)
    if jit_compile == "auto":
        # Not all operations are reproducible under TensorFlow's XLA.
        jit_compile = device.default_jit_compile(name) and not run["deterministic"]
    keras.config.set_dtype_policy(precision)
    if run["deterministic"]:
        device.set_deterministic(seed)
    else:
        keras.utils.set_random_seed(seed)
    return Setup(name, precision, jit_compile)
