"""How a frozen backbone is run on a CPU: by Keras, with constant weights, or by ONNX Runtime."""

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

logger = logging.getLogger(__name__)

WORTH_CONSTANTS = 4_000
"""Images from which on the weights become constants, which takes up to 5 s for VGG19."""

WORTH_AN_EXPORT = 30_000
"""Images from which on ONNX Runtime is tried. The export takes 7 s for MobileNetV2 and 27 s for
DenseNet169, which fewer images do not win back."""

MARGIN = 1.3
"""How many times faster than TensorFlow ONNX Runtime must be. A gain this large is no accident of
the moment, so that two runs on one machine choose the same and give the same features bit by bit.
"""

TOLERANCE = 1e-5
"""Largest difference to Keras that is taken, as a share of the largest feature."""

COMPARED = 4
"""Images of the first batch on which a runtime must agree with Keras."""

TIMED_BATCHES = 3


class Runtime(NamedTuple):
    """A way to run a backbone.

    Attributes:
        name: ``Keras``, ``TensorFlow with constant weights`` or ``ONNX Runtime``.
        run: From pre-processed images, float32 (n, h, w, 3), to features, float32 (n, ...).
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]


def choose_runtime(backbone: keras.Model, batch: np.ndarray, images: int, threads: int) -> Runtime:
    """Choose how to run a backbone on a CPU.

    Constant weights are worth their start for all but a few images; ONNX Runtime is taken where
    it is clearly faster still. Whether it is depends on the machine and its day: on two cores with
    AVX-512 constant weights made the networks of ``tests/benchmarks/test_runtimes.py`` 1.0 to 2.0
    times as fast, and ONNX Runtime again as fast on one day, 1.0 to 1.6 times on another.

    Args:
        backbone: A frozen backbone.
        batch: float32 (n, h, w, 3) pre-processed images of the size that all batches have.
        images: How many images it will run over.
        threads: Threads that it may use.

    Returns:
        What runs it, which agrees with Keras within :data:`TOLERANCE` on the first images.
    """
    chosen = Runtime("Keras", backbone.predict_on_batch)
    if images < WORTH_CONSTANTS or keras.backend.backend() != "tensorflow":
        return chosen
    # Not compiled, which would take longer than all of this.
    expected = keras.ops.convert_to_numpy(backbone(batch[:COMPARED], training=False))
    chosen = _usable(lambda: constant_weights(backbone), batch, expected) or chosen
    if images < WORTH_AN_EXPORT:
        return chosen
    other = _usable(lambda: onnx_runtime(backbone, threads), batch, expected)
    if other is None:
        return chosen
    rates = [len(batch) / _seconds(way.run, batch) for way in (chosen, other)]
    logger.info("images per second: %s %.0f, %s %.0f", chosen.name, rates[0], other.name, rates[1])
    return other if rates[1] >= MARGIN * rates[0] else chosen


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
    """Turn a backbone, which must have been called before, into an ONNX Runtime session."""
    import onnxruntime

    # Keras' export imports it, and hides what went wrong.
    import tf2onnx  # noqa: F401

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backbone.onnx"
        backbone.export(path, format="onnx", verbose=False)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Runtime("ONNX Runtime", lambda images: session.run(None, {name: images})[0])


def _usable(
    build: Callable[[], Runtime], batch: np.ndarray, expected: np.ndarray
) -> Runtime | None:
    """Build a runtime; None, with a warning, where that fails or it differs from Keras."""
    try:
        runtime = build()
        found = runtime.run(batch)[: len(expected)]
    except Exception as error:
        # Converters raise whatever they meet; every network can be run by Keras.
        logger.warning("the backbone cannot be run in another way than by Keras: %s", error)
        return None
    share = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))
    if not share <= TOLERANCE:
        logger.warning("%s differs by %.1e of the largest feature: not used", runtime.name, share)
        return None
    return runtime


def _seconds(run: Callable, batch: np.ndarray) -> float:
    """Return the least time of a few runs: others on the machine can only slow a run down."""
    times = []
    for _ in range(TIMED_BATCHES):
        start = time.monotonic()
        run(batch)
        times.append(time.monotonic() - start)
    return min(times)
