"""Model against model: McNemar, DeLong, jackknife, bootstrap, folds, Holm and the wording."""

import itertools

import numpy as np
import pandas as pd
import pytest
from mlxtend.evaluate import mcnemar as mlxtend_mcnemar
from mlxtend.evaluate import mcnemar_table
from scipy import stats
from scipy.special import expit
from sklearn.metrics import accuracy_score, roc_auc_score
from statsmodels.stats.multitest import multipletests

from blastfold.core.errors import InputError
from blastfold.core.names import BOTH_CLASSES, METRICS
from blastfold.statistics.comparison import (
    METHODS,
    compare,
    compare_pairs,
    model_pair,
)
from blastfold.statistics.delong import area_difference, estimate_areas
from blastfold.statistics.mcnemar import (
    clustered_mcnemar,
    minimum_detectable_difference,
    paired_accuracy,
)
from blastfold.statistics.outcomes import holm, outcome
from blastfold.statistics.pairing import pair_groups, pair_predictions


def two_models(images=300, groups=30, gap=0.0, seed=0):
    """Predictions of two models whose errors are related, with group effects."""
    random = np.random.default_rng(seed)
    group = random.integers(groups, size=images)
    label = random.integers(2, size=images)
    shared = 2 * label - 1 + random.normal(size=groups)[group] + random.normal(size=images)
    scores = shared + 0.7 * random.normal(size=(2, images))
    scores[0] += gap * (2 * label - 1)
    image_id = [f"image_{number}" for number in range(images)]
    tables = [
        pd.DataFrame({"image_id": image_id, "label": label, "probability": expit(score)})
        for score in scores
    ]
    return *tables, pd.Series(group, index=image_id)


def right(only_first, only_second, both=0):
    first = np.repeat([True, False, True], [only_first, only_second, both])
    second = np.repeat([False, True, True], [only_first, only_second, both])
    return first, second


def test_mcnemar_worked_example():
    # Armitage and Berry (1994), p. 127, two media for tubercle bacilli: 20, 12, 2, 16;
    # Liddell's exact limits and p value as printed in the help of StatsDirect.
    found = paired_accuracy(*right(12, 2, 36))
    assert found.odds_ratio == 6
    assert found.odds_ratio_lower == pytest.approx(1.335744, abs=1e-6)
    assert found.odds_ratio_upper == pytest.approx(55.197091, abs=1e-6)
    assert (found.test, round(found.p_value, 4)) == ("mcnemar-exact", 0.0129)
    assert found.risk_difference == pytest.approx(10 / 50)
    assert found.cohens_g == pytest.approx(12 / 14 - 0.5)


@pytest.mark.parametrize(("only_first", "only_second"), [(3, 4), (24, 0), (10, 15), (40, 21)])
def test_mcnemar_agrees_with_mlxtend(only_first, only_second):
    first, second = right(only_first, only_second, 50)
    table = mcnemar_table(np.ones(len(first)), first.astype(int), second.astype(int))
    exact = only_first + only_second < 25
    _, expected = mlxtend_mcnemar(table, exact=exact, corrected=True)
    found = paired_accuracy(first, second)
    assert found.p_value == pytest.approx(expected, abs=1e-6)
    assert (found.test == "mcnemar-exact") == exact
    assert (found.only_first, found.only_second) == (only_first, only_second)


def test_clustered_mcnemar_worked_example():
    # Obuchowski (1998), PET and SPECT of 21 patients without hyperparathyroidism. Durkalski et
    # al. (2003) print 4.5 for McNemar's statistic (7 glands against 1) and 2.86 for
    # Obuchowski's (sum of squared differences of the patients: 12), which this table keeps.
    group = np.repeat(np.arange(21), 4)
    first, second = np.ones(84, bool), np.ones(84, bool)
    for patient, glands in enumerate((2, 2, 1, 1, 1)):
        first[4 * patient : 4 * patient + glands] = False
    second[4 * 5] = False
    statistic, p_value = clustered_mcnemar(first, second, group)
    assert round(statistic, 2) == 2.86
    assert p_value == pytest.approx(stats.chi2.sf(20 / 21 * 6**2 / 12, 1), abs=1e-12)
    assert paired_accuracy(first, second, group).clustered_p_value == p_value


@pytest.mark.parametrize(("images", "share"), [(260, 0.1), (417, 0.05), (2133, 0.2)])
def test_minimum_detectable_difference_has_the_stated_power(images, share):
    # Oracle: the power of McNemar's test without correction, by enumerating all counts.
    difference = minimum_detectable_difference(images, share)
    power = 0.0
    for discordant in range(1, int(images * share * 2)):
        chance = stats.binom.pmf(discordant, images, share)
        wins = np.arange(discordant + 1)
        rejected = (2 * wins - discordant) ** 2 / discordant > stats.chi2.ppf(0.95, 1)
        won = stats.binom.pmf(wins, discordant, (1 + difference / share) / 2)
        power += chance * won[rejected].sum()
    # The formula is a normal approximation of a test on counts.
    assert power == pytest.approx(0.8, abs=0.04)


def test_minimum_detectable_difference_needs_enough_images():
    assert np.isnan(minimum_detectable_difference(3, 0.0))
    # With no discordant image so far, all of the difference is discordance.
    few, many = (minimum_detectable_difference(images, 0.0) for images in (20, 2000))
    assert 0.3 < few < 0.45
    assert many == pytest.approx((1.959964 + 0.841621) ** 2 / 2000, rel=0.01)


@pytest.mark.parametrize("clustered", [False, True])
def test_delong_comparison_agrees_with_the_estimates(clustered):
    first, second, groups = two_models()
    paired = pair_predictions(first, second)
    method = "clustered-delong" if clustered else "delong"
    found = compare("auc", model_pair(paired, groups), method)
    scores = paired[["first", "second"]].to_numpy().T
    expected = area_difference(
        estimate_areas(paired["label"], scores, groups if clustered else None)
    )
    assert found.first == pytest.approx(roc_auc_score(first["label"], first["probability"]))
    assert found.difference == pytest.approx(expected["difference"], abs=1e-12)
    assert found.p_value == pytest.approx(expected["p_value"], abs=1e-12)


def test_jackknife_of_independent_images_is_the_paired_t_test():
    # A mean of paired differences; CR3 has n - 1 where the t test has n: sqrt((n - 1) / n).
    first, second, _ = two_models(gap=0.5)
    found = compare("accuracy", model_pair(pair_predictions(first, second)))
    hits = [(table["probability"] >= 0.5) == table["label"] for table in (first, second)]
    difference = hits[0].to_numpy(int) - hits[1].to_numpy(int)
    error = stats.sem(difference)
    half = stats.t.ppf(0.975, 299) * error
    assert found.difference == pytest.approx(difference.mean(), abs=1e-12)
    # Leaving one of n values out moves a mean by d / (n - 1).
    assert (found.upper - found.lower) / 2 == pytest.approx(half, abs=1e-6)
    assert found.p_value == pytest.approx(stats.ttest_1samp(difference, 0).pvalue, abs=1e-6)


def test_bootstrap_of_the_difference_is_paired():
    first, second, groups = two_models(gap=1.0)
    paired = pair_predictions(first, second)
    random = np.random.default_rng(3)
    found = compare(
        "auc", model_pair(paired, groups), "bootstrap", resamples=100, random_generator=random
    )
    names = pd.factorize(groups)[1]
    random = np.random.default_rng(3)
    differences = []
    for drawn in random.integers(30, size=(100, 30)):
        rows = np.concatenate([np.flatnonzero(groups == names[member]) for member in drawn])
        part = paired.iloc[rows]
        areas = [roc_auc_score(part["label"], part[side]) for side in ("first", "second")]
        differences.append(areas[0] - areas[1])
    limits = np.quantile(differences, (0.025, 0.975))
    assert (found.lower, found.upper) == pytest.approx(tuple(limits), abs=1e-9)
    below = min(sum(value <= 0 for value in differences), sum(value >= 0 for value in differences))
    assert found.p_value == pytest.approx(2 * (below + 1) / 101)


def test_fold_comparison_is_scipys_t_test_except_the_correction():
    first, second, _ = two_models(gap=0.5)
    folds = np.arange(len(first)) % 10
    paired = pair_predictions(first.assign(fold=folds), second.assign(fold=folds))
    found = compare("accuracy", model_pair(paired), "corrected-t", test_to_train=1 / 9)

    differences = []
    for fold in range(10):
        scores = [
            accuracy_score(
                table["label"][folds == fold], table["probability"][folds == fold] >= 0.5
            )
            for table in (first, second)
        ]
        differences.append(scores[0] - scores[1])
    plain = stats.ttest_1samp(differences, 0).statistic
    expected = plain * np.sqrt((1 / 10) / (1 / 10 + 1 / 9))
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(expected), 9), abs=1e-9)
    assert found.difference == pytest.approx(np.mean(differences), abs=1e-12)
    assert found.first - found.second == pytest.approx(found.difference, abs=1e-12)


def test_holm_agrees_with_statsmodels_and_keeps_undefined_values():
    p_values = np.array([0.01, 0.04, np.nan, 0.03, 0.5])
    found = holm(p_values)
    expected = multipletests(p_values[~np.isnan(p_values)], method="holm")[1]
    np.testing.assert_allclose(found[~np.isnan(p_values)], expected, atol=1e-15)
    # Holm (1979): 4 * 0.01, 3 * 0.03, then never smaller than before, 1 * 0.5.
    np.testing.assert_allclose(expected, [0.04, 0.09, 0.09, 0.5])
    assert np.isnan(found[2])
    assert np.isnan(holm(np.array([np.nan]))).all()
    assert holm(np.array([])).size == 0
    random = np.random.default_rng(0)
    for count in range(1, 30):
        # Ties among them, and 0 and 1.
        family = random.integers(0, 21, count) / 20 * random.choice([0.01, 0.1, 1.0])
        expected = multipletests(family, method="holm")[1]
        np.testing.assert_allclose(holm(family), expected, atol=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("grouping", [None, "groups"])
def test_identical_models_differ_by_nothing_with_p_one(method, grouping):
    first, _, groups = two_models()
    first["fold"] = np.arange(len(first)) % 5
    paired = pair_predictions(first, first.sample(frac=1, random_state=0))
    metric = "auc" if "delong" in method else "accuracy"
    options = {"random_generator": np.random.default_rng(0), "test_to_train": 0.25}
    found = compare(metric, model_pair(paired, groups if grouping else None), method, **options)
    assert (found.difference, found.p_value) == (0, 1)
    assert found.note
    assert found.lower <= 0 <= found.upper


@pytest.mark.parametrize("metric", METRICS)
def test_identical_models_in_every_metric(metric):
    first, _, groups = two_models()
    found = compare(metric, model_pair(pair_predictions(first, first), groups))
    assert (found.difference, found.lower, found.upper, found.p_value) == (0, 0, 0, 1)


def test_three_images_are_defined_or_noted():
    first = pd.DataFrame(
        {"image_id": list("abc"), "label": [1, 0, 1], "probability": [0.9, 0.2, 0.3]}
    )
    second = first.assign(probability=[0.4, 0.6, 0.8])
    paired = pair_predictions(first, second)
    for metric, groups in itertools.product(METRICS, (None, [0, 1, 1], [0, 0, 0])):
        found = compare(metric, model_pair(paired, groups))
        assert -2 <= found.difference <= 2
        assert 0 <= found.p_value <= 1 or found.note
    found = compare("accuracy", model_pair(paired), "mcnemar")
    assert found.p_value == 1
    assert "nothing_detectable:3" in found.note


def test_the_better_model_is_found_whatever_the_order():
    first, second, groups = two_models(images=900, gap=1.0)
    third = second.assign(probability=np.clip(second["probability"] + 1e-4, 0, 1))
    table = compare_pairs(
        {"densenet169": first, "vgg19": second, "simple_cnn": third}, groups, ("auc", "accuracy")
    )
    assert table["metric"].tolist() == ["accuracy"] * 3 + ["auc"] * 3
    for _, family in table.groupby("metric"):
        expected = multipletests(family["p_value"], method="holm")[1]
        np.testing.assert_allclose(family["adjusted_p_value"], expected, atol=1e-15)
    winner = table[(table["metric"] == "auc") & (table["second_model"] == "vgg19")].iloc[0]
    assert winner["outcome"] == "first_higher"
    swapped = compare_pairs({"vgg19": second, "densenet169": first}, groups, ("auc",)).iloc[0]
    assert swapped["outcome"] == "second_higher"
    assert swapped["difference"] == pytest.approx(-winner["difference"])
    equal = table[(table["metric"] == "accuracy") & (table["first_model"] == "vgg19")].iloc[0]
    assert equal["outcome"] == "no_difference"
    assert (equal["images"], equal["groups"]) == (900, 30)


def test_what_is_undefined_has_a_reason():
    first, second, groups = two_models()
    single = [table.assign(label=1) for table in (first, second)]
    table = compare_pairs({"one": single[0], "two": single[1]}, groups)
    undefined = table[table["p_value"].isna()]
    expected = [name for name in METRICS if name in {"specificity", *BOTH_CLASSES}]
    assert undefined["metric"].tolist() == expected
    assert set(undefined["outcome"]) == {"undefined"}
    assert undefined["note"].str.startswith("no_negative_image").all()
    assert "undefined" not in set(table.loc[table["p_value"].notna(), "outcome"])


def test_an_outcome_needs_an_adjusted_p_value_below_the_level():
    assert outcome(0.1, 0.049) == "first_higher"
    assert outcome(-0.1, 0.049) == "second_higher"
    assert outcome(-0.1, 0.05) == outcome(0.0, 1.0) == "no_difference"
    assert outcome(-0.1, 0.05, significance=0.1) == "second_higher"
    assert outcome(0.1, np.nan) == "undefined"


def test_thresholds_of_each_model_are_used():
    first, second, groups = two_models()
    table = compare_pairs(
        {"one": first, "two": second}, groups, ("sensitivity",), thresholds={"one": 0.2}
    )
    for name, model, threshold in (("first", first, 0.2), ("second", second, 0.5)):
        called = model.loc[model["label"] == 1, "probability"] >= threshold
        assert table[name].iloc[0] == pytest.approx(called.mean(), abs=1e-12)


def test_pairing_ignores_order_and_respects_folds():
    first, second, _ = two_models(images=40)
    shuffled = second.sample(frac=1, random_state=1)
    paired = pair_predictions(first, shuffled)
    assert paired["image_id"].tolist() == first["image_id"].tolist()
    np.testing.assert_array_equal(paired["second"], second["probability"])
    repeated = [
        pd.concat([table.assign(fold=0), table.assign(fold=1)]) for table in (first, second)
    ]
    assert len(pair_predictions(*repeated)) == 80
    with pytest.raises(InputError, match="40 rows repeat an image, for instance image_0"):
        pair_predictions(repeated[0].drop(columns="fold"), second)


def test_missing_predictions_are_named_and_counted():
    first, second, _ = two_models(images=40)
    with pytest.raises(InputError) as caught:
        pair_predictions(first.iloc[1:], second.iloc[:-7], ("vgg19", "simple_cnn"))
    message = str(caught.value)
    assert "vgg19 has no prediction for 1: image_0" in message
    assert "simple_cnn has no prediction for 7: image_33, image_34" in message
    assert message.count("image_") == 6
    assert "of 40 images" in message


def test_invalid_pairs_are_refused():
    first, second, groups = two_models(images=40)
    with pytest.raises(InputError, match="differ for 40 images, for instance image_0"):
        pair_predictions(first, second.assign(label=1 - second["label"]))
    with pytest.raises(InputError, match="predictions of b: column 'image_id' is missing"):
        pair_predictions(first, second.drop(columns="image_id"), ("a", "b"))
    paired = pair_predictions(first, second)
    with pytest.raises(InputError, match="1 of 40 images have none, for instance image_5"):
        pair_groups(paired, groups.drop("image_5"))
    with pytest.raises(InputError, match="cannot compare 'auc' by 'anova'"):
        compare("auc", model_pair(paired), "anova")
    with pytest.raises(InputError, match="McNemar's test is for 'accuracy'"):
        compare("auc", model_pair(paired), "mcnemar")
    with pytest.raises(InputError, match="DeLong's test is for 'auc'"):
        compare("f1", model_pair(paired), "delong")
    with pytest.raises(InputError, match="random generator"):
        compare("f1", model_pair(paired), "bootstrap")
    with pytest.raises(InputError, match="test_to_train"):
        compare("f1", model_pair(paired), "corrected-t")
    with pytest.raises(InputError, match="at least two models, got 1"):
        compare_pairs({"one": first})
