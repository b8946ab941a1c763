"""Calibration and operating points against scikit-learn, statsmodels and worked examples."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, roc_curve
from statsmodels.discrete.discrete_model import Logit

from blastfold.core.errors import InputError
from blastfold.statistics.calibration import (
    apply_temperature,
    brier_score,
    expected_calibration_error,
    fit_temperature,
    number_of_bins,
    reliability_bins,
)
from blastfold.statistics.operating import choose_threshold, risk_coverage


def overconfident(images=400, factor=2.5, seed=0):
    random = np.random.default_rng(seed)
    honest = random.normal(0.3, 1.5, size=images)
    label = (random.random(images) < expit(honest)).astype(int)
    return pd.DataFrame({"label": label, "probability": expit(factor * honest)})


@pytest.mark.parametrize("strategy", ["width", "mass"])
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_bins_agree_with_scikit_learn(strategy, bins):
    table = overconfident()
    found = reliability_bins(table, bins, strategy)
    names = {"width": "uniform", "mass": "quantile"}
    share, mean = calibration_curve(
        table["label"], table["probability"], n_bins=bins, strategy=names[strategy]
    )
    np.testing.assert_allclose(found["positive_share"], share, atol=1e-12)
    np.testing.assert_allclose(found["mean_probability"], mean, atol=1e-12)
    assert found["images"].sum() == 400
    ece = expected_calibration_error(table, bins, strategy)
    assert ece == pytest.approx(np.average(abs(share - mean), weights=found["images"]), abs=1e-12)


def test_the_number_of_bins_is_twice_the_cube_root_of_the_images():
    # 27 images: 2 * 3; 45: 2 * 3.5569 = 7.11; 222: 2 * 6.0550 = 12.1; 422: 2 * 7.5007.
    sizes = {1: 2, 8: 4, 26: 5, 27: 6, 45: 7, 222: 12, 421: 14, 422: 15, 100_000: 15}
    for images, bins in sizes.items():
        assert number_of_bins(pd.DataFrame({"label": np.zeros(images)})) == bins
    # An image that is tested in every repeat is one image.
    repeated = pd.DataFrame({"image_id": np.tile([f"i{place}" for place in range(27)], 10)})
    assert number_of_bins(repeated) == 6
    # Eight images have four bins, here of two images of which one is positive.
    table = pd.DataFrame({"label": [0, 1] * 4, "probability": np.repeat([0.1, 0.3, 0.7, 0.9], 2)})
    assert reliability_bins(table)["images"].tolist() == [2, 2, 2, 2]
    assert expected_calibration_error(table) == pytest.approx((0.4 + 0.2 + 0.2 + 0.4) / 4)


def test_expected_calibration_error_by_hand():
    table = pd.DataFrame({"label": [0, 1, 1, 1], "probability": [0.1, 0.3, 0.9, 0.7]})
    # Two bins: means 0.2 and 0.8, shares 0.5 and 1; half of the images each.
    assert expected_calibration_error(table, bins=2) == pytest.approx(0.5 * 0.3 + 0.5 * 0.2)
    honest = pd.DataFrame({"label": [0, 1, 1, 1], "probability": [0.75] * 4})
    assert expected_calibration_error(honest) == 0


def test_bins_hold_edges_ties_and_constants():
    table = pd.DataFrame({"label": [0, 1, 0, 1], "probability": [0.0, 1.0, 0.5, 0.5]})
    assert reliability_bins(table, 2)["images"].tolist() == [3, 1]
    constant = pd.DataFrame({"label": [0, 1, 1], "probability": [0.4] * 3})
    for strategy in ("width", "mass"):
        found = reliability_bins(constant, 10, strategy)
        assert found["images"].tolist() == [3]
        assert found["positive_share"].iloc[0] == pytest.approx(2 / 3)
        assert found["lower"].iloc[0] < 2 / 3 < found["upper"].iloc[0]


def test_brier_score_agrees_with_scikit_learn():
    table = overconfident()
    expected = brier_score_loss(table["label"], table["probability"])
    assert brier_score(table) == pytest.approx(expected, abs=1e-12)


def test_temperature_is_the_inverse_slope_of_a_logistic_regression():
    # Oracle: statsmodels' maximum likelihood of the label on the logit, without a constant.
    table = overconfident()
    slope = Logit(table["label"], logit(table["probability"]).to_numpy()).fit(disp=0).params.iloc[0]
    found = fit_temperature(table.assign(role="validation"))
    assert found.value == pytest.approx(1 / slope, abs=1e-6)
    assert 2 < found.value < 3
    calibrated = apply_temperature(table["probability"].to_numpy(), found.value)
    assert found.loss_before == pytest.approx(log_loss(table["label"], table["probability"]))
    assert found.loss_after == pytest.approx(log_loss(table["label"], calibrated), abs=1e-9)
    assert found.loss_after < found.loss_before
    assert (np.argsort(calibrated) == np.argsort(table["probability"])).all()
    assert found.note == ""


def test_temperature_where_it_cannot_be_fitted():
    single = overconfident().assign(label=1)
    assert fit_temperature(single).value == 1
    assert fit_temperature(single).note == "temperature_of_one_class"
    constant = overconfident().assign(probability=0.5)
    assert fit_temperature(constant).note == "temperature_of_equal_probabilities"
    perfect = pd.DataFrame({"label": [0, 1], "probability": [0.0, 1.0]})
    inverse = pd.DataFrame({"label": [1, 0] * 20, "probability": [0.2, 0.9] * 20})
    for table in (perfect, inverse):
        assert fit_temperature(table).value == 1
        assert fit_temperature(table).note == "temperature_of_one_sided_images"
    mostly_wrong = pd.DataFrame({"label": [1, 0, 0], "probability": [0.1, 0.9, 0.4]})
    assert fit_temperature(mostly_wrong).value == 1
    assert fit_temperature(mostly_wrong).note == "temperature_without_maximum"
    extreme = apply_temperature(np.array([0.0, 1.0]), 2.0)
    np.testing.assert_allclose(extreme, [0, 1], atol=1e-6)
    with pytest.raises(InputError, match="temperature must be positive"):
        apply_temperature(np.array([0.5]), 0.0)


def test_nothing_is_fitted_on_test_predictions():
    table = overconfident(images=10)
    table["role"] = ["validation"] * 6 + ["test"] * 4
    with pytest.raises(
        InputError, match=r"a temperature is fitted on validation .* got also 4 test"
    ):
        fit_temperature(table)
    with pytest.raises(InputError, match=r"a threshold is fitted on validation .* got also 4 test"):
        choose_threshold(table)
    assert choose_threshold(table[:6]).images == 6


def test_youden_agrees_with_scikit_learn():
    table = overconfident()
    across, along, _ = roc_curve(table["label"], table["probability"], drop_intermediate=False)
    found = choose_threshold(table)
    assert found.sensitivity + found.specificity - 1 == pytest.approx((along - across).max())
    called = table["probability"] >= found.value
    assert found.sensitivity == pytest.approx(called[table["label"] == 1].mean(), abs=1e-12)
    assert found.specificity == pytest.approx((~called)[table["label"] == 0].mean(), abs=1e-12)


@pytest.mark.parametrize("wanted", [0.0, 0.5, 0.95, 1.0])
def test_wanted_sensitivity_is_reached_at_the_best_specificity(wanted):
    table = overconfident()
    across, along, _ = roc_curve(table["label"], table["probability"], drop_intermediate=False)
    found = choose_threshold(table, "sensitivity", wanted)
    assert found.sensitivity >= wanted
    assert 1 - found.specificity == pytest.approx(across[along >= wanted].min(), abs=1e-12)


def test_threshold_is_between_neighbours_and_near_one_half():
    table = pd.DataFrame({"label": [0, 0, 1, 1], "probability": [0.1, 0.3, 0.8, 0.9]})
    assert choose_threshold(table).value == pytest.approx(0.55)
    ties = pd.DataFrame({"label": [1, 0, 1, 0], "probability": [0.9, 0.6, 0.4, 0.1]})
    # Youden is 0.5 above 0.6 and between 0.1 and 0.4; 0.25 and 0.75 are equally near.
    assert choose_threshold(ties).value in (0.25, 0.75)


def test_threshold_of_a_single_class_is_noted():
    table = overconfident(images=12)
    for label, name in ((0, "positive"), (1, "negative")):
        found = choose_threshold(table.assign(label=label))
        assert found.value == 0.5
        assert found.note == f"threshold_without_{name}_images"
    constant = choose_threshold(table.assign(probability=0.2))
    assert 0 < constant.value <= 1.01
    with pytest.raises(InputError, match="got 'cost'"):
        choose_threshold(table, "cost")
    with pytest.raises(InputError, match="wanted value from 0 to 1, got None"):
        choose_threshold(table, "sensitivity")


def test_risk_coverage_by_hand():
    # Surest first: 0.95 right, 0.9 right, 0.2 wrong, 0.6 wrong.
    table = pd.DataFrame({"label": [1, 1, 1, 0], "probability": [0.95, 0.9, 0.2, 0.6]})
    curve, area = risk_coverage(table)
    np.testing.assert_allclose(curve["risk"], [0, 0, 1 / 3, 1 / 2])
    np.testing.assert_allclose(curve["coverage"], [0.25, 0.5, 0.75, 1])
    assert area == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_risk_coverage_does_not_depend_on_the_order_of_ties():
    table = pd.DataFrame({"label": [1, 0, 0, 1], "probability": [0.7, 0.7, 0.3, 0.3]})
    for seed in range(5):
        curve, area = risk_coverage(table.sample(frac=1, random_state=seed))
        np.testing.assert_allclose(curve["risk"], 0.5)
        assert area == pytest.approx(0.5)
    last = risk_coverage(overconfident())[0].iloc[-1]
    wrong = (overconfident()["probability"] >= 0.5) != overconfident()["label"]
    assert last["risk"] == pytest.approx(wrong.mean(), abs=1e-12)


def test_invalid_bins_are_refused():
    with pytest.raises(InputError, match="got 0, 'width'"):
        reliability_bins(overconfident(), 0)
    with pytest.raises(InputError, match="got 10, 'equal'"):
        expected_calibration_error(overconfident(), 10, "equal")
    with pytest.raises(InputError, match="'probability' must be a number from 0 to 1"):
        brier_score(overconfident().assign(probability=np.nan))
