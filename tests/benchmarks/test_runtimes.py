"""A frozen backbone run by Keras, with constant weights and by ONNX Runtime; all agree.

The speeds are printed. Run with `-s`.
"""

import statistics
import time

import numpy as np
import pytest

from blastfold.networks import architectures
from blastfold.training import backbone_runtime
from blastfold.training.features import BATCH_SIZE

SIZE, ROUNDS = 96, 7


def seconds(run, batch):
    start = time.perf_counter()
    run(batch)
    return time.perf_counter() - start


@pytest.mark.parametrize("architecture", ["MobileNetV2", "DenseNet169", "VGG19"])
def test_all_runtimes_agree(architecture):
    backbone, _ = architectures.build_backbone(architecture, "average", (SIZE, SIZE, 3), 1)
    random = np.random.default_rng(0)
    batch = random.uniform(-1, 1, (BATCH_SIZE, SIZE, SIZE, 3)).astype("float32")
    expected = backbone.predict_on_batch(batch)
    ways = {
        "Keras": backbone.predict_on_batch,
        "constant weights": backbone_runtime.constant_weights(backbone).run,
        "ONNX Runtime": backbone_runtime.onnx_runtime(backbone, 2).run,
    }
    for run in ways.values():
        difference = np.abs(run(batch) - expected).max() / np.abs(expected).max()
        assert difference < backbone_runtime.TOLERANCE
    rounds = [{name: seconds(run, batch) for name, run in ways.items()} for _ in range(ROUNDS)]
    rates = {name: BATCH_SIZE / statistics.median(times[name] for times in rounds) for name in ways}
    shown = ", ".join(
        f"{name} {rate:.0f} ({rate / rates['Keras']:.2f})" for name, rate in rates.items()
    )
    print(f"\n{architecture}, {SIZE} px, images per second (times Keras): {shown}")
