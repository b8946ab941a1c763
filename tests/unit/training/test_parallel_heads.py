"""Heads trained side by side learn what each learns alone."""

import keras
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from support.trainings import model_settings

from blastfold.core.fold_table import Part
from blastfold.networks import architectures
from blastfold.training import epochs
from blastfold.training.batches import FeatureInputs
from blastfold.training.parallel_heads import ParallelHeads, heads_at_once
from blastfold.training.permutations_job import areas_under_curve
from blastfold.training.trainer import head_trainer

ROWS = (np.arange(0, 33), np.arange(33, 45), np.arange(45, 60))


def made(shape=(6,), seed=0):
    """Features of one view of 60 images, and labels that depend on them."""
    random = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    features = random.normal(size=(1, 60, *shape)).astype("float32")
    features[0] += 0.7 * labels.reshape(-1, *[1] * len(shape))
    return features, labels.astype("int64")


def alone(settings, features, labels, kernels, seed, classes=2):
    """The probabilities of one head that the ordinary trainer trains from given weights."""
    backbone = keras.Sequential([keras.Input(features.shape[2:]), keras.layers.Identity()])
    options = settings.dense_units, settings.dropout, 1, classes
    head = architectures.build_head(features.shape[2:], settings.architecture, *options)
    head.set_weights(kernels)
    network = architectures.Network(backbone, head, None)
    trainer = head_trainer(network, FeatureInputs(features), settings, seed)
    parts = {
        role: Part(rows, labels[rows])
        for role, rows in zip(("train", "validation"), ROWS, strict=False)
    }
    epochs.train(trainer, parts)
    found = trainer.predict(Part(ROWS[2], labels[ROWS[2]]))
    return found[:, -1] if classes == 2 else found


def test_heads_of_three_classes_predict_what_each_predicts_alone():
    settings = model_settings(
        architecture="simple_cnn", train="head", epochs=5, batch_size=10, early_stopping=3
    )
    features, _ = made()
    random = np.random.default_rng(2)
    truth = np.arange(60) % 3
    features[0, :, 0] += truth
    labels = np.stack([truth, random.permutation(truth), np.where(truth == 2, 0, truth)])
    heads = ParallelHeads(6, 3, settings, 4, classes=3)
    start = []
    restart = heads._restart
    heads._restart = lambda *given: (restart(*given), start.extend(heads.model.get_weights()))
    found = heads.train(FeatureInputs(features), ROWS, labels, 9)
    assert found.sum(axis=2) == pytest.approx(np.ones((3, len(ROWS[2]))), abs=1e-6)
    for place in range(3):
        own = [value[place] for value in start]
        kernels = [value.reshape(-1) if value.shape[0] == 1 else value for value in own]
        expected = alone(settings, features, labels[place], kernels, 9, classes=3)
        assert found[place] == pytest.approx(expected, abs=2e-4)
    areas = areas_under_curve(labels[:, ROWS[2]], found)
    expected = roc_auc_score(labels[0, ROWS[2]], found[0], multi_class="ovr")
    assert areas[0] == pytest.approx(expected)
    # The labels of the last head lack a class.
    assert np.isnan(areas[2])


@pytest.mark.parametrize(
    ("entry", "shape"),
    [
        ({"architecture": "MobileNetV2"}, (6,)),
        ({"architecture": "VGG16", "dense_units": [5], "dropout": 0}, (2, 2, 3)),
        ({"architecture": "MobileNetV2", "schedule": "one_cycle", "class_weights": False}, (6,)),
        ({"architecture": "MobileNetV2", "early_stopping": 1, "learning_rate": 0.5}, (6,)),
    ],
    ids=["one layer", "hidden layer of maps", "schedule", "early stopping"],
)
def test_a_head_among_others_predicts_what_it_predicts_alone(entry, shape):
    settings = model_settings(**{"train": "head", "epochs": 6, "batch_size": 10, **entry})
    features, truth = made(shape)
    random = np.random.default_rng(1)
    labels = np.stack([truth, random.permutation(truth), np.where(np.arange(60) < 20, truth, 0)])
    heads = ParallelHeads(int(np.prod(shape)), 3, settings, 4)
    start = []
    restart = heads._restart

    def remember(*arguments):
        restart(*arguments)
        start.extend(heads.model.get_weights())

    heads._restart = remember
    found = heads.train(FeatureInputs(features), ROWS, labels, 9)
    for place in range(3):
        own = [value[place] for value in start]
        kernels = [value.reshape(-1) if value.shape[0] == 1 else value for value in own]
        expected = alone(settings, features, labels[place], kernels, 9)
        assert found[place] == pytest.approx(expected, abs=2e-4)


def test_dropout_differs_between_heads_and_a_second_training_starts_afresh():
    settings = model_settings(
        architecture="VGG16", train="head", epochs=2, dense_units=[], dropout=0.5
    )
    features, truth = made()
    labels = np.stack([truth] * 2)
    heads = ParallelHeads(6, 2, settings, 4)
    first = heads.train(FeatureInputs(features), ROWS, labels, 9)
    assert np.abs(first[0] - first[1]).max() > 1e-3
    plain = model_settings(architecture="MobileNetV2", train="head", epochs=2)
    heads = ParallelHeads(6, 2, plain, 4)
    again = [heads.train(FeatureInputs(features), ROWS, labels, 9) for _ in range(2)]
    assert again[0] == pytest.approx(again[1], abs=1e-6)


def test_training_labels_of_one_class_give_probabilities():
    settings = model_settings(architecture="MobileNetV2", train="head", epochs=2)
    features, truth = made()
    labels = np.stack([truth, np.zeros(60, dtype="int64")])
    found = ParallelHeads(6, 2, settings, 4).train(FeatureInputs(features), ROWS, labels, 9)
    assert ((found > 0) & (found < 1)).all()


def test_large_heads_are_trained_in_equal_groups():
    settings = model_settings(architecture="VGG19", train="head")
    assert settings.dense_units == (256,)
    at_once = heads_at_once(2048, settings, 401)
    assert at_once * 2049 * 256 < 31_000_000
    assert at_once * -(-401 // at_once) < 401 + at_once
    assert heads_at_once(10, model_settings(architecture="MobileNetV2", train="head"), 401) == 401


def test_areas_are_those_of_scikit_learn():
    random = np.random.default_rng(5)
    labels = random.integers(0, 2, (4, 30))
    labels[3] = 1
    values = np.round(random.random((4, 30)), 1)
    found = areas_under_curve(labels, values)
    expected = [roc_auc_score(labels[row], values[row]) for row in range(3)]
    assert found[:3] == pytest.approx(expected)
    assert np.isnan(found[3])
