"""What runs a frozen backbone: Keras, TensorFlow with constant weights, or ONNX Runtime.

The choice depends on the device and on the config alone, never on a measured speed: different
runtimes give features that differ in their last digits.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from blastfold.core.errors import BlastfoldError
from blastfold.core.settings import JobSettings
from blastfold.training.device import is_gpu
from blastfold.training.device_setup import Setup

TOLERANCE = 1e-5
"""Largest difference of ONNX Runtime from Keras, as a share of the largest feature."""

COMPARED = 4
"""Images on which ONNX Runtime is compared with Keras."""


class Runtime(NamedTuple):
    """A way to run a backbone.

    Attributes:
        name: ``Keras``, ``TensorFlow with constant weights`` or ``ONNX Runtime``.
        run: From pre-processed images, float32 (n, h, w, 3), to features, float32 (n, ...).
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]


def choose_runtime(backbone: keras.Model, setup: Setup, compute: JobSettings) -> Runtime:
    """Choose how to run a backbone.

    Keras runs it on a GPU, with XLA, and where Keras does not use TensorFlow. On a CPU the
    config's ``feature_runtime`` decides: ``tensorflow`` makes the weights constants, which made
    the networks of ``tests/benchmarks/test_runtimes.py`` 1.0 to 2.0 times as fast on two cores
    with AVX-512; ``onnx`` made them 1.0 to 1.6 times as fast again, depending on the day, after
    an export of 7 s (MobileNetV2) to 27 s (DenseNet169).

    Args:
        backbone: A frozen backbone.
        setup: What the job computes on.
        compute: How the job computes.

    Raises:
        BlastfoldError: ONNX Runtime is configured and cannot run the network, or differs from
            Keras.
    """
    backbone.jit_compile = setup.jit_compile
    if is_gpu(setup.device) or setup.jit_compile or keras.backend.backend() != "tensorflow":
        return Runtime("Keras", backbone.predict_on_batch)
    if compute.feature_runtime == "onnx":
        return checked(lambda: onnx_runtime(backbone, compute.threads), backbone)
    return constant_weights(backbone)


def constant_weights(backbone: keras.Model) -> Runtime:
    """Compile a backbone whose weights are constants of the graph.

    TensorFlow then folds batch normalisation into the convolutions before it, and lays out their
    weights once instead of at every call.
    """
    import tensorflow as tf

    weights = [
        [keras.ops.convert_to_numpy(variable) for variable in variables]
        for variables in (backbone.trainable_variables, backbone.non_trainable_variables)
    ]

    @tf.function(autograph=False)
    def run(images: tf.Tensor) -> tf.Tensor:
        # Arrays become constants where the function is traced; tensors would become its inputs.
        constants = ([tf.constant(array) for array in arrays] for arrays in weights)
        return backbone.stateless_call(*constants, images, training=False)[0]

    return Runtime("TensorFlow with constant weights", lambda images: run(images).numpy())


def onnx_runtime(backbone: keras.Model, threads: int) -> Runtime:
    """Turn a backbone into a session of ONNX Runtime.

    Args:
        backbone: A frozen backbone.
        threads: Threads to compute with.
    """
    import onnxruntime

    # Imported here because Keras' export imports it and hides why that fails.
    import tf2onnx  # noqa: F401

    # Keras exports only a network that has been called.
    backbone(np.zeros((1, *backbone.input_shape[1:]), dtype="float32"), training=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backbone.onnx"
        backbone.export(path, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Runtime("ONNX Runtime", lambda images: session.run(None, {name: images})[0])


def checked(build: Callable[[], Runtime], backbone: keras.Model) -> Runtime:
    """Build a runtime that agrees with Keras within :data:`TOLERANCE` on images of noise.

    Raises:
        BlastfoldError: It cannot be built, cannot run the network, or does not agree.
    """
    shape = (COMPARED, *backbone.input_shape[1:])
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype("float32")
    expected = keras.ops.convert_to_numpy(backbone(images, training=False))
    try:
        runtime = build()
        found = runtime.run(images)
    except Exception as error:
        # Converters raise errors of many kinds.
        raise BlastfoldError(
            f"feature_runtime: this network runs only with TensorFlow ({error}). Set "
            "feature_runtime: tensorflow"
        ) from error
    difference = np.abs(found - expected).max()
    share = float(difference / max(np.abs(expected).max(), 1e-30))
    if not share <= TOLERANCE:
        raise BlastfoldError(
            f"feature_runtime: the features of {runtime.name} differ from those of Keras by "
            f"{share:.1e} of the largest feature, expected at most {TOLERANCE:.0e}. Set "
            "feature_runtime: tensorflow"
        )
    return runtime
