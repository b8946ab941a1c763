"""How a frozen backbone is run: by Keras, or on a CPU by ONNX Runtime where that is faster."""

import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

logger = logging.getLogger(__name__)

WORTH_AN_EXPORT = 30_000
"""Images from which on ONNX Runtime is tried. The export takes 7 s for MobileNetV2 and 27 s for
DenseNet169, which fewer images do not win back."""

MARGIN = 1.3
"""How many times faster than Keras it must be. A gain this large is no accident of the moment, so
that two runs on one machine choose the same and give the same features bit by bit."""

TOLERANCE = 1e-5
"""Largest difference to Keras that is taken, as a share of the largest feature."""

TIMED_BATCHES = 3


class Runtime(NamedTuple):
    """A way to run a backbone.

    Attributes:
        name: ``Keras`` or ``ONNX Runtime``.
        run: From pre-processed images, float32 (n, h, w, 3), to features, float32 (n, ...).
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]


def choose_runtime(backbone: keras.Model, batch: np.ndarray, images: int, threads: int) -> Runtime:
    """Choose how to run a backbone on a CPU: by Keras unless ONNX Runtime is clearly faster.

    Which of them is depends on the processor: on two cores with AVX-512 and batches of 64 the
    networks of ``tests/benchmarks/test_runtimes.py`` ran between 0.9 and 1.1 times as fast.

    Args:
        backbone: A frozen backbone.
        batch: float32 (n, h, w, 3) pre-processed images of the size that all batches have.
        images: How many images it will run over.
        threads: Threads that it may use.

    Returns:
        ONNX Runtime where there are many images, it agrees with Keras within :data:`TOLERANCE`
        and is :data:`MARGIN` times as fast on this batch; else Keras.
    """
    plain = Runtime("Keras", backbone.predict_on_batch)
    if images < WORTH_AN_EXPORT or keras.backend.backend() != "tensorflow":
        return plain
    expected = plain.run(batch)
    try:
        other = onnx_runtime(backbone, threads)
        found = other.run(batch)
    except Exception as error:
        # The converter raises whatever it meets; every network can be run without it.
        logger.warning("ONNX Runtime cannot take %s, Keras runs it: %s", backbone.name, error)
        return plain
    difference = float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-30))
    if difference > TOLERANCE:
        logger.warning("ONNX Runtime differs by %.1e of the largest feature: not used", difference)
        return plain
    plain_rate, other_rate = (len(batch) / _seconds(way.run, batch) for way in (plain, other))
    logger.info("images a second: Keras %.0f, ONNX Runtime %.0f", plain_rate, other_rate)
    return other if other_rate >= MARGIN * plain_rate else plain


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


def _seconds(run: Callable, batch: np.ndarray) -> float:
    """Return the least time of a few runs: others on the machine can only slow a run down."""
    times = []
    for _ in range(TIMED_BATCHES):
        start = time.monotonic()
        run(batch)
        times.append(time.monotonic() - start)
    return min(times)
