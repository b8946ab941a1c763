"""Which layers are trained in which epochs, and at what learning rate."""

import math

import keras
import numpy as np
import pytest
from support.trainings import (
    NOT_AUGMENTED,
    blobs,
    build_trainer,
    model_settings,
    parts_of,
)

from blastfold.networks import architectures
from blastfold.networks.learning_rate import OneCycle
from blastfold.networks.unfreezing import Stage, freeze, plan_stages, stage_of


def plan(**changes):
    settings = {
        "train": "staged",
        "epochs": 9,
        "learning_rate": 0.01,
        "stages": 3,
        "stage_learning_rate_factor": 0.1,
    }
    return plan_stages(model_settings(**settings | changes))


@pytest.mark.parametrize(("train", "share"), [("head", 0.0), ("all", 1.0)])
def test_head_and_all_are_one_stage(train, share):
    assert plan(train=train) == [Stage(1, 9, share, 0.01)]


def test_stages_unfreeze_equal_shares_at_falling_rates():
    stages = plan()
    assert [(stage.first, stage.last) for stage in stages] == [(1, 3), (4, 6), (7, 9)]
    assert [stage.share for stage in stages] == [0.0, 0.5, 1.0]
    assert [stage.learning_rate for stage in stages] == pytest.approx([0.01, 0.001, 0.0001])


@pytest.mark.parametrize("epochs", range(1, 12))
@pytest.mark.parametrize("count", range(2, 6))
def test_every_epoch_has_one_stage_and_the_last_one_trains_all(epochs, count):
    stages = plan(epochs=epochs, stages=count)
    covered = [epoch for stage in stages for epoch in range(stage.first, stage.last + 1)]
    assert covered == list(range(1, epochs + 1))
    assert len(stages) == min(count, epochs)
    lengths = [stage.last - stage.first + 1 for stage in stages]
    assert lengths == sorted(lengths, reverse=True)
    assert max(lengths) - min(lengths) <= 1
    assert stages[-1].share == 1.0
    for epoch in covered:
        assert stage_of(stages, epoch).first <= epoch <= stage_of(stages, epoch).last


def network_of(**changes):
    settings = model_settings(train="staged", **changes)
    return architectures.build_network(settings, (32, 32, 3), 1, 1)


def trained_blocks(network):
    """Blocks of the backbone with a trained weight, in the order of the network."""
    return list(
        dict.fromkeys(
            architectures.layer_block(layer.name)
            for layer in network.backbone.layers
            if layer.trainable_weights
        )
    )


def test_stages_free_the_end_of_the_backbone_first():
    network = network_of(architecture="VGG16")
    blocks = [f"block{number}" for number in range(1, 6)]
    found = {}
    # The input layer counts as a block of its own, without anything to train.
    for share in (0.0, 0.5, 1.0):
        freeze(network, Stage(1, 1, share, 0.1), freeze_batch_normalisation=False)
        found[share] = trained_blocks(network)
    assert found[0.0] == []
    assert found[1.0] == blocks
    assert found[0.5] == blocks[-len(found[0.5]) :]
    assert 2 <= len(found[0.5]) <= 4
    assert network.head.trainable_weights


def test_batch_normalisation_stays_frozen_where_asked():
    network = network_of(architecture="MobileNetV2")

    def trained_kinds():
        return {type(layer) for layer in network.backbone.layers if layer.trainable_weights}

    freeze(network, Stage(1, 1, 1.0, 0.1), freeze_batch_normalisation=True)
    assert keras.layers.BatchNormalization not in trained_kinds()
    assert keras.layers.Conv2D in trained_kinds()
    freeze(network, Stage(1, 1, 1.0, 0.1), freeze_batch_normalisation=False)
    assert keras.layers.BatchNormalization in trained_kinds()


def fastai_one_cycle(position, peak, rise=0.25, start=25.0, end=1e5):
    """The learning rate of fastai's fit_one_cycle (Howard & Gugger 2020, Fastai: a layered API).

    combined_cos(pct=rise, start=peak/div, middle=peak, end=peak/div_final) with
    SchedCos(a, b)(x) = a + (1 + cos(pi (1 - x))) (b - a) / 2.
    """

    def annealed(first, last, share):
        return first + (1 + math.cos(math.pi * (1 - share))) * (last - first) / 2

    if position < rise:
        return annealed(peak / start, peak, position / rise)
    return annealed(peak, peak / end, (position - rise) / (1 - rise))


@pytest.mark.parametrize("steps", [2, 8, 101])
def test_one_cycle_is_fastai_s(steps):
    schedule = OneCycle(0.02, steps)
    measured = [float(schedule(step)) for step in range(steps)]
    expected = [fastai_one_cycle(step / (steps - 1), 0.02) for step in range(steps)]
    # float32 leaves less of the very small last rate.
    np.testing.assert_allclose(measured, expected, rtol=1e-4, atol=2e-9)
    assert measured[0] == pytest.approx(0.02 / 25, rel=1e-4)


def test_one_cycle_peaks_once_and_goes_through_its_config():
    schedule = OneCycle.from_config(OneCycle(0.02, 101, rise=0.3).get_config())
    measured = np.array([float(schedule(step)) for step in range(101)])
    assert measured.argmax() == 30
    assert measured.max() == pytest.approx(0.02, rel=1e-4)
    assert (np.diff(measured[:31]) > 0).all()
    assert (np.diff(measured[30:]) < 0).all()
    assert float(OneCycle(0.02, 1)(0)) == pytest.approx(0.02 / 25, rel=1e-4)


def test_a_staged_training_leaves_the_backbone_alone_in_its_first_stage():
    images, labels = blobs()
    settings = model_settings(
        train="staged",
        stages=2,
        epochs=4,
        stage_learning_rate_factor=1.0,
        schedule="one_cycle",
        augmentation=NOT_AUGMENTED,
    )
    part = parts_of(labels)["train"]
    trainer = build_trainer(images, settings)
    backbone = trainer.network.backbone
    untouched = [weight.copy() for weight in backbone.get_weights()]
    moved = []
    for epoch in range(1, 5):
        trainer.train_epoch(part, epoch)
        pairs = zip(untouched, backbone.get_weights(), strict=True)
        moved.append(any((old != new).any() for old, new in pairs))
    assert moved == [False, False, True, True]
