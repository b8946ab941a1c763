"""Speed of this machine: a few timed steps of one network, in a separate process.

Run as a program it reads what to time from its standard input, as JSON, and writes what it measured
to the file that its argument names. The rest of the time of the process is what a job needs before
its first image: imports, building and tracing the network.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping

import keras
import numpy as np

from blastfold.core.files import write_json
from blastfold.core.settings import head_of
from blastfold.networks import architectures
from blastfold.networks.augmentation import COLUMNS, Augmentation, identity_draws
from blastfold.training import device

LEAST_SECONDS = 1.0
"""Steps are repeated for at least this long."""

LEAST_STEPS = 3


def measure_speed(
    settings: Mapping, shape: tuple[int, int, int], wanted: str, threads: int
) -> dict:
    """Time a network as a training runs it, on images of noise.

    Args:
        settings: Keys of a model entry: architecture, train, batch_size and those of the head.
        shape: (height, width, 3) of the images.
        wanted: ``gpu`` or ``cpu``.
        threads: Threads to use.

    Returns:
        device; seconds per image of a pass forward (``forward``) and of a training step (``train``:
        through the whole network, or the head alone on features where only it is trained);
        ``timed``, the seconds of all steps that were timed; ``peak_memory_mb``.
    """
    device_name = device.set_up_device(wanted, threads, int(wanted == "gpu"))
    keras.config.set_dtype_policy(device.default_precision(device_name))
    batch = settings["batch_size"]
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, *shape), dtype=np.uint8)
    labels = np.arange(batch) % 2
    network = _build_network(settings, shape)
    image = keras.Input(shape, name="image", dtype="uint8")
    draws = keras.Input((len(COLUMNS),), name="draws")
    augmented = Augmentation()([image, draws])
    inputs = [images, identity_draws(batch)]
    if settings["train"] == "head":
        extractor = keras.Model([image, draws], network.backbone(augmented, training=False))
        trained, inputs_of_step = network.head, extractor.predict_on_batch(inputs)
        forward = extractor
    else:
        trained = keras.Model([image, draws], network.whole(augmented))
        forward, inputs_of_step = trained, inputs
    one_neuron = trained.outputs[0].shape[-1] == 1
    trained.compile(
        optimizer="adam",
        loss="binary_crossentropy" if one_neuron else "sparse_categorical_crossentropy",
        jit_compile=device.default_jit_compile(device_name),
    )

    def train() -> None:
        trained.train_on_batch(inputs_of_step, labels)

    def pass_forward() -> None:
        forward.predict_on_batch(inputs)

    # The first step traces the network, which is not part of the others.
    pass_forward()
    train()
    seconds = {"forward": time_step(pass_forward), "train": time_step(train)}
    return {
        "device": device_name,
        **{name: statistics.median(each) / batch for name, each in seconds.items()},
        "timed": sum(sum(each) for each in seconds.values()),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _build_network(settings: Mapping, shape: tuple[int, int, int]) -> architectures.Network:
    head = head_of(settings)
    architecture = settings["architecture"]
    backbone, application = architectures.build_backbone(architecture, head["pooling"], shape)
    backbone.trainable = settings["train"] != "head"
    features = backbone.output.shape[1:]
    built = architectures.build_head(features, architecture, head["dense_units"], head["dropout"])
    return architectures.Network(backbone, built, application)


def time_step(step: Callable[[], None]) -> list[float]:
    """Repeat a step for a while; returns the seconds of each time."""
    seconds: list[float] = []
    while len(seconds) < LEAST_STEPS or sum(seconds) < LEAST_SECONDS:
        start = time.monotonic()
        step()
        seconds.append(time.monotonic() - start)
    return seconds


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    measured = measure_speed(
        asked["settings"],
        tuple(asked["shape"]),
        asked["device"],
        asked["threads"],
    )
    write_json(measured, sys.argv[1])
