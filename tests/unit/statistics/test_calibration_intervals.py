"""Intervals of calibration errors over groups, against SciPy's distributions."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit
from statsmodels.stats.proportion import proportion_confint

from blastfold.core.notes import note_codes
from blastfold.statistics.calibration import brier_score, expected_calibration_error
from blastfold.statistics.calibration_intervals import (
    brier_interval,
    calibrated_reference,
    calibration_error_interval,
    grouped_bins,
)


def generator():
    return np.random.default_rng(0)


def grouped_images(groups=12, each=10, shift=0.0, seed=1):
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    score = random.normal(size=groups)[group] + random.normal(size=len(group))
    label = (random.random(len(group)) < expit(score)).astype(int)
    return pd.DataFrame({"label": label, "probability": expit(score + shift)}), group


def test_brier_interval_of_equal_groups_is_that_of_their_means():
    table, group = grouped_images()
    found = brier_interval(table, group)
    of_group = ((table["probability"] - table["label"]) ** 2).groupby(group).mean()
    # For groups of one size the jackknife's standard error is that of the mean of the groups.
    value, error = of_group.mean(), stats.sem(of_group)
    reach = stats.t.ppf(0.975, 11) * error
    assert brier_score(table) == pytest.approx(value)
    assert (found.lower, found.upper) == pytest.approx(
        (value * np.exp(-reach / value), value * np.exp(reach / value))
    )
    assert note_codes(found.note) == {"few_groups"}


def test_calibration_error_of_one_bin_has_the_interval_of_a_mean():
    # With one bin and a clear error, the error is the distance of two means.
    table, group = grouped_images(groups=40, shift=2.0)
    distance = (table["probability"] - table["label"]).groupby(group).mean()
    reach = stats.t.ppf(0.975, 39) * stats.sem(distance)
    found = calibration_error_interval(table, group, generator(), bins=1)
    assert expected_calibration_error(table, bins=1) == pytest.approx(distance.mean())
    assert found.lower == pytest.approx(distance.mean() - reach, abs=0.15 * reach)
    assert found.upper == pytest.approx(distance.mean() + reach, abs=0.15 * reach)


def test_a_calibrated_model_has_an_interval_from_zero_and_a_shifted_one_has_not():
    table, group = grouped_images(groups=40)
    found = calibration_error_interval(table, group, generator())
    assert found.lower == 0
    # The measured error is larger than the true one, because chance adds to it.
    assert found.upper < 2 * expected_calibration_error(table)
    shifted, group = grouped_images(groups=40, shift=2.0)
    assert calibration_error_interval(shifted, group, generator()).lower > 0.05


def test_reference_of_equal_probabilities_is_that_of_the_binomial_distribution():
    table = pd.DataFrame({"label": [0, 1] * 25, "probability": 0.3})
    found = calibrated_reference(table, generator(), bins=1)
    counts = np.arange(51)
    errors, weights = abs(counts - 15) / 50, stats.binom.pmf(counts, 50, 0.3)
    assert found.expected == pytest.approx(np.sum(errors * weights), abs=0.003)
    order = np.argsort(errors)
    exact = errors[order][np.searchsorted(np.cumsum(weights[order]), 0.95)]
    assert found.percentile == pytest.approx(exact, abs=0.021)


def test_reference_of_66_images_is_smaller_in_fewer_bins():
    # 66 images of a perfectly calibrated model: in 15 bins an error of 0.11 shows nothing.
    table, _ = grouped_images(groups=66, each=1)
    many = calibrated_reference(table, generator(), bins=15)
    assert 0.1 < many.expected < 0.17
    assert many.expected < many.percentile < 0.25
    few = calibrated_reference(table, generator())
    assert few == calibrated_reference(table, generator(), bins=8)
    assert few.expected < 0.8 * many.expected


def test_repeats_of_an_image_share_its_label_in_the_reference():
    table, _ = grouped_images()
    table["image_id"] = [f"i{place}" for place in range(len(table))]
    once = calibrated_reference(table, generator())
    twice = calibrated_reference(pd.concat([table, table]), generator())
    assert twice.expected == pytest.approx(once.expected)


def test_bins_have_intervals_over_their_groups():
    table, group = grouped_images(groups=30)
    found = grouped_bins(table, group, bins=4)
    assert (found["groups"] <= 30).all()
    assert (found["lower"] < found["upper"]).all()
    independent = grouped_bins(table, None, bins=4)
    index = np.clip(np.ceil(table["probability"] * 4).astype(int) - 1, 0, 3)
    for place, row in independent.iterrows():
        inside = table["label"][index == place]
        lower, upper = proportion_confint(inside.sum(), len(inside), method="wilson")
        assert (row["lower"], row["upper"]) == pytest.approx((lower, upper), abs=0.03)


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5]),
        ([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0]),
        ([1, 0, 1, 0], [0.0, 1.0, 0.0, 1.0]),
        ([1, 1, 1, 1], [0.2, 0.4, 0.6, 0.8]),
    ],
)
def test_ties_and_single_classes_have_defined_values(labels, probabilities):
    table = pd.DataFrame({"label": labels, "probability": probabilities})
    error = expected_calibration_error(table)
    for group in ([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 1]):
        found = calibration_error_interval(table, group, generator())
        assert 0 <= found.lower <= error + 1e-9
        assert found.lower <= found.upper <= 1
        brier = brier_interval(table, group)
        assert 0 <= brier.lower <= brier.upper <= 1
        bins = grouped_bins(table, group)
        assert ((bins["note"] != "") | bins["lower"].notna()).all()


def test_one_group_has_no_interval_and_a_reason():
    table, _ = grouped_images(groups=2)
    for found in (
        calibration_error_interval(table, np.zeros(20), generator()),
        brier_interval(table, np.zeros(20)),
    ):
        assert np.isnan(found.lower)
        assert found.note == "fewer_than_two_groups"
