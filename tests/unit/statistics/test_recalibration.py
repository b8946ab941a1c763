"""Platt scaling against statsmodels and scikit-learn, and its refusals."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from statsmodels.discrete.discrete_model import Logit

from blastfold.core.errors import InputError
from blastfold.statistics.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
)
from blastfold.statistics.recalibration import apply_platt, fit_platt, groups_note


def predictions(images=500, slope=2.0, shift=1.0, seed=0):
    random = np.random.default_rng(seed)
    honest = random.normal(-0.5, 1.5, images)
    label = (random.random(images) < expit(honest)).astype(int)
    return pd.DataFrame({"label": label, "probability": expit(slope * honest + shift)})


def test_slope_and_intercept_agree_with_statsmodels_and_scikit_learn():
    table = predictions()
    found = fit_platt(table)
    score = logit(table["probability"].to_numpy())
    design = np.column_stack([score, np.ones(len(score))])
    fitted = Logit(table["label"].to_numpy(), design).fit(disp=False)
    assert (found.slope, found.intercept) == pytest.approx(tuple(fitted.params), abs=1e-4)
    assert found.loss_after == pytest.approx(-fitted.llf / len(table), abs=1e-9)
    other = LogisticRegression(C=1e10, tol=1e-8).fit(score[:, np.newaxis], table["label"])
    assert found.slope == pytest.approx(other.coef_[0, 0], abs=1e-3)
    assert found.intercept == pytest.approx(other.intercept_[0], abs=1e-3)
    np.testing.assert_allclose(
        apply_platt(table["probability"], found.slope, found.intercept),
        other.predict_proba(score[:, np.newaxis])[:, 1],
        atol=1e-3,
    )


def test_platt_scaling_repairs_a_shift_and_temperature_does_not():
    # Class weights shift all logits by one constant.
    table = predictions(5000, slope=1.0, shift=1.2)
    platt = fit_platt(table)
    shifted = table.assign(
        probability=apply_platt(table["probability"], platt.slope, platt.intercept)
    )
    temperature = fit_temperature(table).value
    scaled = table.assign(probability=apply_temperature(table["probability"], temperature))
    assert expected_calibration_error(shifted) < 0.03
    assert expected_calibration_error(scaled) > 0.1


@pytest.mark.parametrize(
    ("labels", "probabilities", "note"),
    [
        ([1, 1, 1], [0.1, 0.5, 0.9], "platt_of_one_class"),
        ([0, 1, 1], [0.5, 0.5, 0.5], "platt_of_equal_probabilities"),
        ([0, 1, 1], [0.2, 0.6, 0.9], "platt_of_separated_classes"),
        ([1, 0, 0], [0.2, 0.6, 0.9], "platt_of_separated_classes"),
        ([1, 0], [0.0, 1.0], "platt_of_separated_classes"),
        ([0, 1, 0, 1], [0.4, 0.6, 0.6, 0.4], "platt_without_maximum"),
    ],
)
def test_fits_without_a_maximum_are_refused(labels, probabilities, note):
    table = pd.DataFrame({"label": labels, "probability": probabilities})
    found = fit_platt(table)
    assert (found.slope, found.intercept, found.note) == (1, 0, note)
    assert found.loss_after == found.loss_before
    np.testing.assert_allclose(apply_platt(table["probability"], 1, 0), probabilities, atol=1e-12)


def test_few_groups_of_a_class_refuse_a_fit():
    table = pd.DataFrame({"label": [0] * 10 + [1] * 10, "group": [*range(10), *([10, 11] * 5)]})
    assert groups_note(table) == "few_validation_groups:10:2:5"
    assert groups_note(table, fewest=2) == ""
    assert groups_note(table.head(10)) == "few_validation_groups:10:0:5"


def test_test_predictions_are_refused():
    with pytest.raises(InputError, match="Platt scaling is fitted on validation predictions"):
        fit_platt(predictions().assign(role="test"))
