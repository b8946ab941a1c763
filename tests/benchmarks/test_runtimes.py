"""A frozen backbone in Keras and in ONNX Runtime, side by side, and that they agree within 1e-5.

What features.py chooses by measuring on the spot is seen here for a few networks. Run with `-s`.
"""

import statistics
import time

import numpy as np
import pytest

from blastfold import models, runtimes

SIZE, BATCH, ROUNDS = 96, 64, 5


def seconds(run, batch):
    start = time.perf_counter()
    run(batch)
    return time.perf_counter() - start


@pytest.mark.parametrize("architecture", ["MobileNetV2", "DenseNet169", "VGG19"])
def test_two_runtimes_agree(architecture):
    settings = {"architecture": architecture, "train": "head"}
    backbone, _ = models.build_backbone(settings, (SIZE, SIZE, 3), 1)
    batch = np.random.default_rng(0).uniform(-1, 1, (BATCH, SIZE, SIZE, 3)).astype("float32")
    expected = backbone.predict_on_batch(batch)
    other = runtimes.onnx_runtime(backbone, 2)
    difference = np.abs(other.run(batch) - expected).max() / np.abs(expected).max()
    pairs = [
        (seconds(backbone.predict_on_batch, batch), seconds(other.run, batch))
        for _ in range(ROUNDS)
    ]
    keras_rate, onnx_rate = (BATCH / statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"\n{architecture}, {SIZE} px: Keras {keras_rate:.0f}, ONNX Runtime {onnx_rate:.0f} images "
        f"a second ({onnx_rate / keras_rate:.2f} times), largest difference {difference:.1e}"
    )
    assert difference < runtimes.TOLERANCE
