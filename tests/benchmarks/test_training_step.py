"""Training all layers: an epoch of the workflow's loop against the same step on a ready batch.

The loop reads its images from a memory-mapped store, draws an order and augmentations, and adds up
its figures; the ready batch is in memory as tensors and goes through the very same compiled step
again and again. What the loop loses against it is what the input pipeline costs. Both take turns
on one network, and the least time of each counts: other guests of a machine's host can only slow it
down, and the ratio of single pairs scattered by 4 %. Run with `-s` to see the figures;
BLASTFOLD_BENCHMARK_STEPS=<number> changes the steps of an epoch, for a trial of the benchmark.
"""

import os
import time

import keras
import numpy as np
import pytest
from support.repository import SCHEMA

from blastfold.core.fold_table import Part
from blastfold.core.settings import ModelSettings
from blastfold.experiment.config import check_config
from blastfold.networks import architectures
from blastfold.networks.augmentation import draw_augmentations
from blastfold.networks.preprocessing import build_preparation
from blastfold.training.batches import ImageInputs
from blastfold.training.trainer import image_trainer

STEPS = int(os.environ.get("BLASTFOLD_BENCHMARK_STEPS", "40"))
PAIRS = 10
BATCH = 16
SIZE = 96


def settings_of(architecture):
    model = {"architecture": architecture, "train": "all", "batch_size": BATCH}
    config = {
        "datasets": {"cells": {"format": "folder"}},
        "protocols": {"holdout": {"kind": "holdout"}},
        "models": {"model": model | {"epochs": PAIRS + 1}},
        "experiments": [{"datasets": ["cells"], "protocols": ["holdout"], "models": ["model"]}],
    }
    return ModelSettings.read(check_config(config, SCHEMA)["models"]["model"])


def build_trainer(folder, settings):
    """Return a trainer, its memory-mapped images and the part of them to train on."""
    random = np.random.default_rng(0)
    count = STEPS * BATCH
    np.save(folder / "images.npy", random.integers(0, 256, (count, SIZE, SIZE, 3), np.uint8))
    images = np.load(folder / "images.npy", mmap_mode="r")
    network = architectures.build_network(settings, images.shape[1:], 0, 0)
    mean_image = np.full(images.shape[1:], 127.5, "float32")
    preparation = build_preparation(settings.preprocessing, network.application, mean_image, None)
    source = ImageInputs(images, settings.augmentation, seed=0)
    trainer = image_trainer(network, preparation, source, settings, seed=0)
    return trainer, images, Part(np.arange(count), np.arange(count) % 2)


def seconds_of_an_epoch(trainer, part, epoch):
    start = time.perf_counter()
    trainer.train_epoch(part, epoch)
    return time.perf_counter() - start


def seconds_of_ready_steps(trainer, images, part):
    """Run the trainer's own compiled step on one batch of tensors, as often as an epoch does.

    All that depends on how the trainer feeds its network is here.
    """
    draws = draw_augmentations(BATCH, trainer.settings.augmentation, 0, 1)
    batch = [keras.ops.convert_to_tensor(array) for array in (images[:BATCH], draws)]
    labels = keras.ops.convert_to_tensor(part.labels[:BATCH])
    weights = keras.ops.ones(BATCH)
    start = time.perf_counter()
    for _ in range(STEPS):
        figures = trainer.trained.train_on_batch(
            batch, labels, sample_weight=weights, return_dict=True
        )
    assert np.isfinite(float(figures["loss"]))
    return time.perf_counter() - start


@pytest.mark.parametrize("architecture", ["simple_cnn", "MobileNetV2"])
def test_the_loop_keeps_up_with_a_ready_batch(tmp_path, architecture):
    trainer, images, part = build_trainer(tmp_path, settings_of(architecture))
    # The first epoch traces the network.
    seconds_of_an_epoch(trainer, part, 1)
    seconds_of_ready_steps(trainer, images, part)
    pairs = []
    for epoch in range(2, PAIRS + 2):
        loop = seconds_of_an_epoch(trainer, part, epoch)
        pairs.append((loop, seconds_of_ready_steps(trainer, images, part)))
    loop, ready = (STEPS * BATCH / min(times) for times in zip(*pairs, strict=True))
    ratio = loop / ready
    print(
        f"\n{architecture}, all layers, {SIZE} px, batches of {BATCH}: {loop:.0f} images/s, "
        f"{100 * ratio:.1f} % of the same step on a ready batch ({ready:.0f})"
    )
    assert ratio >= 0.97
