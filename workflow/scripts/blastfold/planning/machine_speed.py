"""Speed of this machine: a few timed steps of one network, in a separate process.

Run as a program it reads what to time from its standard input, as JSON, and writes what it measured
to the file that its argument names. The rest of the time of the process is what a job needs before
its first image: imports, building and tracing the network.
"""

import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping

import numpy as np

from blastfold.core.files import write_json
from blastfold.core.lean_keras import keras
from blastfold.core.settings import JOB_KEYS, UNCHANGED, JobSettings, head_of
from blastfold.images.stain import SHAPES
from blastfold.networks import architectures
from blastfold.networks.augmentation import identity_draws
from blastfold.networks.preprocessing import Preparation, build_preparation
from blastfold.training.device_setup import set_up

LEAST_SECONDS = 1.0
"""Steps are repeated for at least this long."""

LEAST_STEPS = 3


def measure_speed(
    settings: Mapping, shape: tuple[int, int, int], wanted: str, threads: int, job: Mapping
) -> dict:
    """Time a network as a training runs it, on images of noise.

    Args:
        settings: Keys of a model entry: architecture, train, batch_size, stain and those of the
            head.
        shape: (height, width, 3) of the images.
        wanted: ``gpu`` or ``cpu``.
        threads: Threads to use.
        job: The config's precision, xla and deterministic.

    Returns:
        device; seconds per image of a pass forward (``forward``) and of a training step (``train``:
        through the whole network, or the head alone on features where only it is trained);
        ``features``, numbers that the backbone gives for an image; ``parameters`` of the network;
        ``timed``, the seconds of all steps that were timed; ``peak_memory_mb``.
    """
    values = {name: key.unused for name, key in JOB_KEYS.items()} | {"threads": threads, **job}
    place = {"device": wanted, "gpu": int(wanted == "gpu"), "states": None}
    setup = set_up(JobSettings(**values, **place, code=""), 0)
    batch = settings["batch_size"]
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (batch, *shape), dtype=np.uint8)
    labels = np.arange(batch) % 2
    network = build_timed_network(settings, shape)
    # Every operation is computed for images that stay as they are, too, except a change of stains.
    (image, draws), augmented = noise_preparation(settings, shape).changed(UNCHANGED)
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
        jit_compile=setup.jit_compile,
    )
    forward.jit_compile = setup.jit_compile

    def train() -> None:
        trained.train_on_batch(inputs_of_step, labels)

    def pass_forward() -> None:
        forward.predict_on_batch(inputs)

    # The first step traces the network, which is not part of the others.
    pass_forward()
    train()
    seconds = {"forward": time_step(pass_forward), "train": time_step(train)}
    return {
        "device": setup.device,
        "features": math.prod(network.backbone.output.shape[1:]),
        "parameters": network.backbone.count_params() + network.head.count_params(),
        **{name: statistics.median(each) / batch for name, each in seconds.items()},
        "timed": sum(sum(each) for each in seconds.values()),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def noise_preparation(settings: Mapping, shape: tuple[int, int, int]) -> Preparation:
    """Build a pre-processing as fast as that of the model; its reference values are any."""
    record = None
    if settings["stain"] != "none":
        random = np.random.default_rng(0)
        reference = {
            name: random.uniform(0.1, 1.0, size).tolist()
            for name, size in SHAPES[settings["stain"]].items()
        }
        record = {"stain": settings["stain"], "reference": reference}
    return build_preparation("mean_image_plain", None, np.zeros(shape, dtype="float32"), record)


def build_timed_network(settings: Mapping, shape: tuple[int, int, int]) -> architectures.Network:
    """Build a network as fast as that of the model; its weights are random."""
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
        asked["job"],
    )
    write_json(measured, sys.argv[1])
