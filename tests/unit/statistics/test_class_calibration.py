"""Calibration of more than two classes, against binary calibration, SciPy and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from support.class_predictions import class_table

from blastfold.core.errors import InputError
from blastfold.core.notes import note_codes
from blastfold.statistics.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    number_of_bins,
)
from blastfold.statistics.class_calibration import (
    apply_class_temperature,
    apply_vector_scaling,
    class_groups_note,
    class_logits,
    classwise_error_interval,
    classwise_errors,
    fit_class_temperature,
    fit_vector_scaling,
)
from blastfold.statistics.class_grouped import checked_classes


def validation(classes=3, groups=30, gain=1.0, seed=1):
    table = class_table(classes, groups=groups, gain=gain, seed=seed)
    return table.assign(role="validation")


def with_probabilities(table, values):
    columns = [name for name in table if name.startswith("probability_")]
    return table.assign(**dict(zip(columns, values.T, strict=True)))


def test_each_class_has_the_calibration_error_of_two_classes():
    table = validation(4)
    label, probability = checked_classes(table)
    for place, error in enumerate(classwise_errors(label, probability, number_of_bins(table))):
        own = pd.DataFrame({"label": (label == place) * 1, "probability": probability[:, place]})
        assert error == pytest.approx(expected_calibration_error(own), abs=1e-12)


def test_the_interval_holds_the_error_and_is_one_of_groups():
    table = validation(3)
    error = classwise_errors(*checked_classes(table), number_of_bins(table)).mean()
    found = classwise_error_interval(table, table["group"], np.random.default_rng(0))
    assert 0 <= found.lower <= error <= found.upper <= 1
    alone = classwise_error_interval(table, ["one"] * len(table), np.random.default_rng(0))
    assert np.isnan(alone.lower)
    assert note_codes(alone.note) == {"fewer_than_two_groups"}


def test_temperature_of_two_classes_is_that_of_the_logit():
    table = validation(2)
    found, expected = fit_class_temperature(table), fit_temperature(table)
    assert found.value == pytest.approx(expected.value, rel=1e-6)
    assert found.loss_after == pytest.approx(expected.loss_after, abs=1e-9)
    scaled = apply_class_temperature(checked_classes(table)[1], found.value)
    assert scaled[:, 1] == pytest.approx(apply_temperature(table["probability"], found.value))


def test_the_temperature_that_was_applied_is_found_again():
    random = np.random.default_rng(3)
    logits = random.normal(size=(4000, 4))
    label = [random.choice(4, p=row) for row in softmax(logits, axis=1)]
    table = class_table(4, groups=4, images=1000).assign(role="validation", class_label=label)
    table = with_probabilities(table, softmax(2.5 * logits, axis=1))
    found = fit_class_temperature(table)
    assert found.value == pytest.approx(2.5, rel=0.1)
    assert found.loss_after < found.loss_before


def test_vector_scaling_has_the_largest_likelihood():
    table = validation(3)
    label, probability = checked_classes(table)
    found = fit_vector_scaling(table)
    scaled = apply_vector_scaling(probability, found.weight, found.bias)
    assert found.loss_after == pytest.approx(log_loss(label, scaled), abs=1e-9)
    # The gradient of the likelihood is 0: mean probabilities are the shares of the classes.
    excess = scaled - np.eye(3)[label]
    assert excess.mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)
    assert (excess * class_logits(probability)).mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-4)
    # A full matrix instead of a vector of weights can only be better.
    matrix = LogisticRegression(C=1e6, max_iter=5000).fit(class_logits(probability), label)
    best = log_loss(label, matrix.predict_proba(class_logits(probability)))
    assert best - 1e-6 <= found.loss_after <= fit_class_temperature(table).loss_after + 1e-9


def test_what_cannot_be_fitted_is_left_unchanged_with_a_note():
    table = validation(3)
    label, _ = checked_classes(table)
    right = with_probabilities(table, 0.1 + 0.7 * np.eye(3)[label])
    assert note_codes(fit_class_temperature(right).note) == {"temperature_of_one_sided_images"}
    assert note_codes(fit_vector_scaling(right).note) == {"vector_without_maximum"}
    equal = with_probabilities(table, np.full((len(table), 3), 1 / 3))
    assert note_codes(fit_class_temperature(equal).note) == {"temperature_of_equal_probabilities"}
    single = table.assign(class_label=1)
    assert note_codes(fit_class_temperature(single).note) == {"temperature_of_one_class"}
    assert note_codes(fit_vector_scaling(single).note) == {"vector_of_missing_classes"}
    for fit in (right, equal, single):
        assert fit_class_temperature(fit).value == 1
    assert fit_vector_scaling(single).weight.tolist() == [1, 1, 1]


def test_probabilities_of_exactly_zero_and_one_stay_finite():
    table = validation(3)
    label, _ = checked_classes(table)
    sure = with_probabilities(table, np.eye(3)[(label + np.arange(len(label)) // 40) % 3])
    found = fit_class_temperature(sure)
    assert np.isfinite([found.value, found.loss_before, found.loss_after]).all()
    vector = fit_vector_scaling(sure)
    assert np.isfinite([*vector.weight, *vector.bias, vector.loss_after]).all()


def test_few_groups_of_a_class_refuse_a_fit():
    table = validation(3, groups=15)
    assert class_groups_note(table, 3) == ""
    less = table[(table["class_label"] != 2) | (table["group"] == "g2")]
    assert class_groups_note(less, 3) == "few_groups_of_a_class:1:5"
    assert class_groups_note(table, 4) == "few_groups_of_a_class:0:5"


@pytest.mark.parametrize("fit", [fit_class_temperature, fit_vector_scaling])
def test_test_predictions_are_refused(fit):
    with pytest.raises(InputError, match="validation predictions alone"):
        fit(class_table(3))
