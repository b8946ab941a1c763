"""Predictive values and net benefit, against worked examples, scikit-learn and exact coverage."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import confusion_matrix
from statsmodels.stats.proportion import proportion_confint

from blastfold.core.errors import InputError
from blastfold.statistics.decision import THRESHOLDS, decision_curve
from blastfold.statistics.predictive_values import (
    Rate,
    negative_predictive_value,
    positive_predictive_value,
)


def rate(hits, trials):
    return Rate(hits / trials, *proportion_confint(hits, trials, method="wilson"))


def test_values_are_those_of_the_liver_scans():
    # Altman and Bland (1994), Diagnostic tests 2: predictive values, BMJ 309, 102: 231 of 258
    # abnormal livers and 54 of 86 normal ones were found.
    sensitivity, specificity = rate(231, 258), rate(54, 86)
    assert positive_predictive_value(sensitivity, specificity, 0.75).value == pytest.approx(
        0.88, abs=0.005
    )
    assert negative_predictive_value(sensitivity, specificity, 0.75).value == pytest.approx(
        0.67, abs=0.005
    )
    assert positive_predictive_value(sensitivity, specificity, 0.25).value == pytest.approx(
        0.45, abs=0.005
    )
    assert negative_predictive_value(sensitivity, specificity, 0.25).value == pytest.approx(
        0.95, abs=0.005
    )


@pytest.mark.parametrize("prevalence", [0.02, 0.5])
def test_intervals_cover_by_exact_enumeration(prevalence):
    # All outcomes of 25 diseased and 25 healthy, weighted by their binomial probabilities.
    true = {"sensitivity": 0.85, "specificity": 0.9}
    positive = 1 / (1 + 0.1 / 0.85 * (1 - prevalence) / prevalence)
    negative = 1 / (1 + 0.15 / 0.9 * prevalence / (1 - prevalence))
    covered = np.zeros(2)
    rates = [rate(hits, 25) for hits in range(26)]
    for hits, sensitivity in enumerate(rates):
        for passed, specificity in enumerate(rates):
            weight = stats.binom.pmf(hits, 25, true["sensitivity"])
            weight *= stats.binom.pmf(passed, 25, true["specificity"])
            found = (
                positive_predictive_value(sensitivity, specificity, prevalence),
                negative_predictive_value(sensitivity, specificity, prevalence),
            )
            for place, (one, value) in enumerate(zip(found, (positive, negative), strict=True)):
                covered[place] += weight * (one.lower <= value <= one.upper)
    assert (covered > 0.93).all()
    assert (covered < 0.98).all()


@pytest.mark.parametrize("hits", [0, 5, 10])
@pytest.mark.parametrize("passed", [0, 5, 10])
def test_extreme_rates_have_defined_values_or_a_reason(hits, passed):
    for found in (
        positive_predictive_value(rate(hits, 10), rate(passed, 10), 0.1),
        negative_predictive_value(rate(hits, 10), rate(passed, 10), 0.1),
    ):
        if np.isnan(found.value):
            assert found.note in ("none_predicted_positive", "none_predicted_negative")
        else:
            assert 0 <= found.lower <= found.value <= found.upper <= 1
            assert found.upper > found.lower


def test_undefined_rates_give_a_reason():
    nothing = Rate(np.nan, np.nan, np.nan)
    assert positive_predictive_value(nothing, rate(5, 10), 0.1).note == "rates_undefined"
    without = positive_predictive_value(Rate(0.9, np.nan, np.nan), rate(5, 10), 0.1)
    assert (without.value > 0, without.note) == (True, "no_interval")
    for prevalence in (0, 1, -0.1, 2):
        with pytest.raises(InputError, match="prevalence must be between 0 and 1"):
            positive_predictive_value(rate(5, 10), rate(5, 10), prevalence)


def images(groups=10, each=12, seed=0):
    random = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), each)
    label = random.integers(2, size=len(group))
    score = label + random.normal(size=groups)[group] + random.normal(size=len(group))
    return pd.DataFrame({"label": label, "probability": 1 / (1 + np.exp(-score))}), group


def test_net_benefit_is_that_of_the_paper():
    # Vickers and Elkin (2006): true positives / n - false positives / n * threshold odds, with
    # scikit-learn's counts.
    table, group = images()
    found = decision_curve(table, group).set_index("threshold")
    share = table["label"].mean()
    for threshold in (0.05, 0.3, 0.5, 0.9):
        called = table["probability"] >= threshold
        _, false_positive, _, true_positive = confusion_matrix(table["label"], called).ravel()
        odds = threshold / (1 - threshold)
        expected = (true_positive - false_positive * odds) / len(table)
        assert found.at[threshold, "net_benefit"] == pytest.approx(expected)
        everything = share - (1 - share) * odds
        assert found.at[threshold, "treat_all"] == pytest.approx(everything)
    assert list(found.index) == list(THRESHOLDS)


def test_interval_of_net_benefit_of_pure_groups_is_welchs():
    # Groups of one size and one class: the rates are two independent means of groups, so that the
    # standard error and the degrees of freedom are those of Welch's test.
    table, group = images()
    table["label"] = group % 2
    found = decision_curve(table, group, [0.25]).iloc[0]
    called = (table["probability"] >= 0.25).groupby(group).mean()
    positive, negative = called[1::2] / 2, called[0::2] / 6
    value = positive.mean() - negative.mean()
    variances = stats.sem(positive) ** 2, stats.sem(negative) ** 2
    # The jackknife multiplies by the share of groups that is left out of all, 10 in place of 5.
    inflation = np.sqrt(9 / 10 / (4 / 5))
    freedom = sum(variances) ** 2 / sum(variance**2 / 4 for variance in variances)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(sum(variances)) * inflation
    assert found["net_benefit"] == pytest.approx(value)
    assert found["upper"] - value == pytest.approx(reach, rel=0.02)


def test_one_group_and_equal_probabilities_are_defined():
    table, group = images()
    alone = decision_curve(table, np.zeros(len(table)), [0.5]).iloc[0]
    assert np.isnan(alone["lower"])
    assert alone["note"] == "fewer_than_two_groups"
    never = decision_curve(table.assign(probability=0.2), group, [0.5]).iloc[0]
    assert never["net_benefit"] == 0
    assert "no_width" in never["note"]
    single = decision_curve(table.assign(label=1), group, [0.5]).iloc[0]
    assert np.isnan(single["net_benefit"])
    assert single["note"] == "one_class"
