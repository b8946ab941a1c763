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

WORTH_AN_EXPORT = 3000
"""Images from which on ONNX Runtime is tried. The export takes 7 s for MobileNetV2 and 27 s for
DenseNet169, which fewer images do not win back (tests/benchmarks/test_training_speed.py)."""

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


def choose_runtime(
    backbone: keras.Model, batch: np.ndarray, images: int, threads: int, measure: bool
) -> Runtime:
    """Choose how to run a backbone on a CPU.

    Args:
        backbone: A frozen backbone.
        batch: float32 (n, h, w, 3) pre-processed images of the size that all batches have.
        images: How many images it will run over.
        threads: Threads that it may use.
        measure: True takes what is faster on this batch. False, for results that must not depend
            on a stopwatch, takes ONNX Runtime for many images wherever it agrees with Keras; it
            was the faster one or no slower for every backbone that was measured.

    Returns:
        ONNX Runtime where it agrees with Keras within :data:`TOLERANCE` and is chosen, else Keras.
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
    if not measure:
        return other
    seconds = {runtime.name: _seconds(runtime.run, batch) for runtime in (plain, other)}
    rates = ", ".join(f"{name} {len(batch) / took:.0f}" for name, took in seconds.items())
    logger.info("images a second of %s: %s", backbone.name, rates)
    return other if seconds[other.name] < seconds[plain.name] else plain


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
