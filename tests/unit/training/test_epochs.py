"""The metrics of a validation; oracle: scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics

from blastfold.training.epochs import f1_score, log_loss


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_is_scikit_learn_s(dtype):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 50)
    # Right and wrong with certainty, too.
    probability = np.r_[rng.uniform(size=46), 0, 1, 0, 1].astype(dtype)
    expected = metrics.log_loss(labels, probability, labels=[0, 1])
    assert log_loss(labels, probability) == pytest.approx(expected, rel=1e-12)


def test_log_loss_of_one_class():
    # Half of the certainty for the true class is one bit.
    assert log_loss(np.zeros(3, int), np.full(3, 0.5)) == pytest.approx(np.log(2))


@pytest.mark.parametrize(
    ("labels", "predicted"),
    [([0, 1, 1, 0, 1], [1, 1, 0, 0, 1]), ([0, 0], [0, 0]), ([1, 1], [0, 0]), ([0, 0], [1, 0])],
)
def test_f1_score_is_scikit_learn_s(labels, predicted):
    expected = metrics.f1_score(labels, predicted, zero_division=0)
    assert f1_score(np.array(labels), np.array(predicted)) == pytest.approx(expected)
