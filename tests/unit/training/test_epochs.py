"""The metrics of a validation; oracle: scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from blastfold.training.epoch_metrics import ConfusionCounts, accuracy_and_f1
from blastfold.training.epochs import f1_score, log_loss, predicted_labels


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_is_scikit_learn_s(dtype):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 50)
    # Right and wrong with certainty, too.
    probability = np.r_[rng.uniform(size=46), 0, 1, 0, 1].astype(dtype)
    expected = metrics.log_loss(labels, probability, labels=[0, 1])
    both = np.column_stack([1 - probability, probability])
    assert log_loss(labels, both) == pytest.approx(expected, rel=1e-12)


def test_log_loss_of_one_class():
    # Half of the certainty for the true class is one bit.
    assert log_loss(np.zeros(3, int), np.full((3, 2), 0.5)) == pytest.approx(np.log(2))


def test_more_classes_have_scikit_learn_s_log_loss_and_macro_f1():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 3, 40)
    probabilities = rng.dirichlet(np.ones(4), 40)
    expected = metrics.log_loss(labels, probabilities, labels=range(4))
    assert log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-12)
    predicted = predicted_labels(probabilities)
    assert (predicted == probabilities.argmax(axis=1)).all()
    options = {"average": "macro", "labels": range(4), "zero_division": 0}
    expected = metrics.f1_score(labels, predicted, **options)
    assert f1_score(labels, predicted, 4) == pytest.approx(expected)


def test_counts_of_an_epoch_give_accuracy_and_macro_f1():
    rng = np.random.default_rng(6)
    labels, probabilities = rng.integers(0, 3, 40), rng.dirichlet(np.ones(3), 40)
    counts = ConfusionCounts(neurons=3)
    for part in (slice(0, 16), slice(16, 40)):
        counts.update_state(labels[part, np.newaxis], probabilities[part])
    sums = {name: float(value) for name, value in counts.result().items()}
    predicted = probabilities.argmax(axis=1)
    expected = 40, np.mean(predicted == labels), f1_score(labels, predicted, 3)
    assert accuracy_and_f1(sums, 3) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "predicted"),
    [([0, 1, 1, 0, 1], [1, 1, 0, 0, 1]), ([0, 0], [0, 0]), ([1, 1], [0, 0]), ([0, 0], [1, 0])],
)
def test_f1_score_is_scikit_learn_s(labels, predicted):
    expected = metrics.f1_score(labels, predicted, zero_division=0)
    assert f1_score(np.array(labels), np.array(predicted)) == pytest.approx(expected)
