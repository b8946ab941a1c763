"""Metrics by totals, intervals of every method, the view per fold and the ROC band."""

import confidenceinterval
import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from scipy.special import expit
from sklearn import metrics as oracle
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.proportion import proportion_confint

from blastfold.core.errors import InputError
from blastfold.core.names import BOTH_CLASSES, METRIC_FACTS, METRICS
from blastfold.core.notes import note_codes, parse_notes
from blastfold.statistics.folds import corrected_resampled_t, fold_values
from blastfold.statistics.grouped import bootstrap_weights, group_predictions, placements
from blastfold.statistics.intervals import METHODS, confidence_limits, interval
from blastfold.statistics.jackknife import contributions, metric_spread, spread
from blastfold.statistics.metrics import metric_values
from blastfold.statistics.roc import roc_band, sensitivity_at_specificity

SCIKIT_LEARN = {
    "accuracy": oracle.accuracy_score,
    "sensitivity": oracle.recall_score,
    "specificity": lambda *values, **options: oracle.recall_score(*values, pos_label=0, **options),
    "precision": oracle.precision_score,
    "f1": oracle.f1_score,
    "weighted_f1": lambda *values, **options: oracle.f1_score(
        *values, average="weighted", **options
    ),
    "balanced_accuracy": oracle.balanced_accuracy_score,
    "mcc": oracle.matthews_corrcoef,
}


def generator(seed=1):
    return np.random.default_rng(seed)


def some_predictions(images=240, groups=20, seed=0, decimals=2):
    """Predictions with ties, mixed groups and group effects."""
    random = generator(seed)
    group = random.integers(groups, size=images)
    label = random.integers(2, size=images)
    score = 2 * label - 1 + random.normal(size=groups)[group] + random.normal(size=images)
    probability = np.round(expit(score), decimals)
    image_id = [f"image_{number}" for number in range(images)]
    table = pd.DataFrame({"image_id": image_id, "label": label, "probability": probability})
    return table, group


def scikit_learn(metric, table, weight, threshold=0.5):
    if metric == "auc":
        return oracle.roc_auc_score(table["label"], table["probability"], sample_weight=weight)
    predicted = table["probability"] >= threshold
    return SCIKIT_LEARN[metric](table["label"], predicted, sample_weight=weight)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("groups", [None, 20])
def test_weighted_metrics_agree_with_scikit_learn(metric, groups):
    table, group = some_predictions()
    grouped = group_predictions(table, group if groups else None, threshold=0.4)
    weights = bootstrap_weights(grouped.groups, 20, generator())
    found = metric_values(metric, grouped.totals(weights))
    for value, weight in zip(found, weights, strict=True):
        expected = scikit_learn(metric, table, weight[grouped.group], threshold=0.4)
        assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("large", [False, True])
def test_leaving_one_group_out_agrees_with_scikit_learn(metric, large, monkeypatch):
    if large:
        monkeypatch.setattr("blastfold.statistics.grouped._PAIR_TABLE_LIMIT", 0)
    table, group = some_predictions()
    grouped = group_predictions(table, group)
    assert (grouped.pairs is None) == large
    found = metric_values(metric, grouped.totals_without_one())
    names = pd.factorize(group)[1]
    for value, name in zip(found, names, strict=True):
        rest = table[group != name]
        assert value == pytest.approx(scikit_learn(metric, rest, None), abs=1e-12)


def test_leaving_one_copy_out_of_a_resample_agrees_with_scikit_learn():
    table, group = some_predictions(images=60, groups=6)
    grouped = group_predictions(table, group)
    weights = bootstrap_weights(6, 5, generator()) + 1
    found = metric_values("auc", grouped.totals_without_one(weights))
    for row in range(5):
        for member in range(6):
            copies = weights[row] - (np.arange(6) == member)
            expected = scikit_learn("auc", table, copies[grouped.group])
            assert found[row, member] == pytest.approx(expected, abs=1e-12)


def test_bootstrap_weights_draw_every_group_equally_often():
    weights = bootstrap_weights(7, 20_000, generator())
    assert (weights.sum(axis=1) == 7).all()
    # The variance of a multinomial count is n p (1 - p).
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.03)
    np.testing.assert_allclose(weights.var(axis=0), 6 / 7, atol=0.03)


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity", "specificity", "precision"])
def test_wilson_agrees_with_confidenceinterval(metric):
    table, _ = some_predictions()
    library = {
        "accuracy": confidenceinterval.accuracy_score,
        "sensitivity": confidenceinterval.tpr_score,
        "specificity": confidenceinterval.tnr_score,
        "precision": confidenceinterval.ppv_score,
    }[metric]
    predicted = (table["probability"] >= 0.5).astype(int).tolist()
    value, limits = library(table["label"].tolist(), predicted, method="wilson")
    found = interval(metric, table, method="wilson")
    assert (found.value, found.lower, found.upper) == pytest.approx((value, *limits), abs=1e-6)


def test_wilson_worked_example():
    # Newcombe (1998), Two-sided confidence intervals for the single proportion, table I:
    # 81 of 263 gives 0.2553 to 0.3662.
    label = np.ones(263, dtype=int)
    table = pd.DataFrame({"label": label, "probability": (np.arange(263) < 81) * 1.0})
    found = interval("sensitivity", table)
    assert found.method == "wilson"
    assert (found.lower, found.upper) == pytest.approx((0.2553, 0.3662), abs=5e-5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("method", ["bootstrap-percentile", "bootstrap-bca"])
def test_bootstrap_agrees_with_scipy_on_the_same_resamples(metric, method):
    table, group = some_predictions()
    grouped = group_predictions(table, group)
    weights = bootstrap_weights(grouped.groups, 500, generator())
    values = metric_values(metric, grouped.totals(weights))

    def statistic(drawn):
        weight = np.bincount(drawn.astype(int), minlength=grouped.groups)[grouped.group]
        kept = weight > 0
        return scikit_learn(metric, table[kept], weight[kept])

    # SciPy computes the limits from a given bootstrap distribution and its own jackknife.
    given = stats._resampling.BootstrapResult(None, values, None)
    expected = stats.bootstrap(
        (np.arange(grouped.groups),),
        statistic,
        n_resamples=0,
        bootstrap_result=given,
        method=method.removeprefix("bootstrap-"),
        vectorized=False,
    ).confidence_interval
    lower, upper, _ = confidence_limits(metric, grouped, method, 0.95, weights)
    assert (lower, upper) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_jackknife_of_a_mean_is_the_cluster_robust_variance():
    # Accuracy of equal groups is a mean of group means, whose CR3 variance statsmodels gives
    # as the HC3 variance of a regression on a constant (times (G - 1) / G, a convention).
    table, _ = some_predictions(images=200, groups=20)
    group = np.repeat(np.arange(20), 10)
    right = (table["probability"] >= 0.5) == table["label"]
    means = right.to_numpy().reshape(20, 10).mean(axis=1)
    fitted = OLS(means, np.ones(20)).fit(cov_type="HC3")
    found = metric_spread("accuracy", group_predictions(table, group))
    assert found.standard_error**2 == pytest.approx(fitted.cov_params()[0, 0] * 19 / 20, abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(19)


def test_jackknife_t_solves_the_score_equation():
    # Wilson's limits are where |value - limit| = t * sqrt(limit (1 - limit) / images).
    table, group = some_predictions()
    found = interval("auc", table, group, "jackknife-t")
    spread = metric_spread("auc", group_predictions(table, group))
    quantile = stats.t.ppf(0.975, spread.degrees_of_freedom)
    images = found.value * (1 - found.value) / spread.standard_error**2

    def equation(limit):
        return (found.value - limit) ** 2 - quantile**2 * limit * (1 - limit) / images

    assert found.lower == pytest.approx(optimize.brentq(equation, 0, found.value), abs=1e-9)
    assert found.upper == pytest.approx(optimize.brentq(equation, found.value, 1), abs=1e-9)


def test_degrees_of_freedom_count_what_groups_contribute():
    # Four ill subjects of 30 images and ten healthy ones of 10: sensitivity rests on four.
    label = np.repeat([1] * 4 + [0] * 10, [30] * 4 + [10] * 10)
    group = np.repeat(np.arange(14), [30] * 4 + [10] * 10)
    probability = np.clip(0.25 + 0.5 * label + 0.3 * generator().normal(size=220), 0, 1)
    table = pd.DataFrame({"label": label, "probability": probability})
    grouped = group_predictions(table, group)
    assert metric_spread("sensitivity", grouped).effective_groups == pytest.approx(4)
    assert metric_spread("specificity", grouped).effective_groups == pytest.approx(10)
    # Sizes to the power 3/2: (4 * 30^1.5 + 10 * 10^1.5)^2 / (4 * 30^3 + 10 * 10^3).
    expected = (4 * 30**1.5 + 10 * 10**1.5) ** 2 / 118_000
    assert metric_spread("accuracy", grouped).effective_groups == pytest.approx(expected)
    joined = metric_spread("auc", grouped).degrees_of_freedom
    assert 3 <= joined <= expected - 1


def test_degrees_of_freedom_join_both_classes_as_welch():
    # AUC of single images: Welch's degrees of freedom with the variances of the placements.
    table, _ = some_predictions(images=40)
    of_blast, of_normal = placements(table["label"], table["probability"])
    parts = [np.var(part, ddof=1) / len(part) for part in (of_blast, of_normal)]
    sizes = (len(of_blast), len(of_normal))
    welch = sum(parts) ** 2 / sum(p**2 / (n - 1) for p, n in zip(parts, sizes, strict=True))
    found = metric_spread("auc", group_predictions(table))
    assert found.degrees_of_freedom == pytest.approx(welch, rel=0.02)
    assert found.standard_error**2 == pytest.approx(sum(parts), rel=0.05)


@pytest.mark.parametrize("method", [name for name in METHODS if "delong" not in name])
def test_every_method_covers_its_value_and_keeps_the_bounds(method):
    table, group = some_predictions()
    table["fold"] = np.arange(len(table)) % 5
    found = interval(
        "accuracy", table, group, method, random_generator=generator(), test_to_train=0.25
    )
    assert 0 <= found.lower < found.value < found.upper <= 1
    assert (found.images, found.groups, found.method) == (240, 20, method)


def test_clustering_widens_the_interval():
    random = generator()
    group = np.repeat(np.arange(40), 25)
    right = random.random(1000) < np.clip(random.normal(0.8, 0.2, 40), 0, 1)[group]
    table = pd.DataFrame({"label": 1, "probability": right * 1.0})
    alone, clustered = interval("accuracy", table), interval("accuracy", table, group)
    assert (alone.method, clustered.method) == ("wilson", "jackknife-t")
    assert clustered.upper - clustered.lower > 2 * (alone.upper - alone.lower)
    warned = interval("accuracy", table, group, "wilson")
    assert warned.note == "images_taken_as_independent"


@pytest.mark.parametrize("groups", [5, 10, 15])
def test_few_groups_carry_a_warning(groups):
    table, group = some_predictions(groups=groups)
    for method in ("jackknife-t", "bootstrap-percentile", "bootstrap-bca", "bootstrap-t"):
        found = interval("accuracy", table, group, method, random_generator=generator())
        assert "few_groups" in note_codes(found.note)
    table, group = some_predictions(images=600, groups=60)
    assert interval("accuracy", table, group).note == ""


def test_all_images_right_still_gives_an_interval():
    label = np.arange(100) % 2
    table = pd.DataFrame({"label": label, "probability": label * 0.8 + 0.1})
    group = np.repeat(np.arange(10), 10)
    for metric in METRICS:
        found = interval(metric, table, group)
        # Clopper and Pearson for 10 of 10: lower limit 0.025 ** (1 / 10).
        smallest = METRIC_FACTS[metric].lower
        share = (found.lower - smallest) / (1 - smallest)
        assert (found.value, found.upper) == (1, 1)
        assert share == pytest.approx(0.025**0.1, abs=1e-9)
        assert "exact_interval" in note_codes(found.note)


def test_delong_interval_of_perfect_order_says_it_has_no_width():
    table = pd.DataFrame({"label": [0, 0, 1, 1], "probability": [0.1, 0.2, 0.8, 0.9]})
    found = interval("auc", table, method="delong")
    assert (found.lower, found.upper) == (1, 1)
    assert found.note == "no_width"


@pytest.mark.parametrize("label", [0, 1])
def test_a_single_class_has_defined_values_or_reasons(label):
    table = pd.DataFrame({"label": [label] * 6, "probability": [0.1, 0.2, 0.4, 0.6, 0.8, 0.9]})
    undefined = {*BOTH_CLASSES, "specificity" if label else "sensitivity"}
    for metric in METRICS:
        found = interval(metric, table, [0, 0, 1, 1, 2, 2])
        assert np.isnan(found.value) == (metric in undefined)
        assert found.note
        if metric in undefined:
            assert found.note == ("no_negative_image" if label else "no_positive_image")


def test_three_test_images_never_give_a_number_without_a_note():
    table = pd.DataFrame({"label": [1, 0, 1], "probability": [0.9, 0.2, 0.3]})
    for metric in METRICS:
        for groups in (None, [0, 1, 1], [0, 0, 0]):
            for method in ("auto", "bootstrap-percentile", "bootstrap-bca", "bootstrap-t"):
                found = interval(metric, table, groups, method, random_generator=generator())
                assert 0 <= found.value <= 1
                ends = np.array([found.lower, found.upper])
                assert not np.isnan(ends).any() or found.note


def test_constant_scores_and_no_predicted_blast():
    table = pd.DataFrame({"label": [0, 1] * 20, "probability": 0.3})
    group = np.repeat(np.arange(8), 5)
    area = interval("auc", table, group)
    assert area.value == 0.5
    assert area.lower < 0.5 < area.upper
    precision = interval("precision", table, group)
    assert np.isnan(precision.value)
    assert precision.note == "none_predicted_positive"
    assert interval("mcc", table, group).note == "one_class_predicted"


def test_groups_of_very_unequal_size():
    table, _ = some_predictions(images=500)
    group = np.r_[np.zeros(440), np.repeat(np.arange(1, 31), 2)]
    found = interval("accuracy", table, group)
    assert 0 <= found.lower < found.value < found.upper <= 1
    # One group holds 88 % of the images: (440^1.5 + 30 * 2^1.5)^2 / (440^3 + 30 * 2^3) = 1.02.
    assert found.note == "few_groups:1"


def test_undefined_resamples_are_counted_in_the_note():
    label = np.repeat([0, 0, 0, 0, 1], 4)
    table = pd.DataFrame({"label": label, "probability": np.linspace(0, 1, 20)})
    group = np.repeat(np.arange(5), 4)
    found = interval(
        "auc", table, group, "bootstrap-percentile", random_generator=generator(), resamples=400
    )
    # A resample misses the only ill subject with probability (4 / 5)^5 = 0.33, or has only it.
    (left_out,) = [note for note in parse_notes(found.note) if note.code == "undefined_resamples"]
    count, resamples = left_out.values
    assert resamples == 400
    assert 90 < count < 175


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": np.nan}, "'probability' must be a number from 0 to 1; 1 of 240 .*image_7"),
        ({"probability": 1.2}, r"image_7 \(1.2\)"),
        ({"label": 2}, "'label' must be 0 .negative. or 1 .positive.; 1 of 240"),
        ({"label": np.nan}, "image_7"),
    ],
)
def test_invalid_predictions_are_named(change, message):
    table, group = some_predictions()
    table = table.astype({"label": float})
    for column, value in change.items():
        table.loc[7, column] = value
    with pytest.raises(InputError, match=message):
        interval("accuracy", table, group)


def test_invalid_requests_are_refused():
    table, group = some_predictions()
    with pytest.raises(InputError, match="column 'probability' is missing"):
        interval("accuracy", table.drop(columns="probability"))
    with pytest.raises(InputError, match="no rows"):
        interval("accuracy", table.iloc[:0])
    with pytest.raises(InputError, match="3 values for 240"):
        interval("accuracy", table, [1, 2, 3])
    with pytest.raises(InputError, match=r"'group' .* 1 of 240 .*image_3"):
        interval("accuracy", table, np.where(np.arange(240) == 3, "", "a"))
    with pytest.raises(InputError, match="got 'lift', expected one of accuracy"):
        interval("lift", table)
    with pytest.raises(InputError, match="got 'wald', expected one of wilson"):
        interval("f1", table, method="wald")
    with pytest.raises(InputError, match="'wilson' is for accuracy"):
        interval("f1", table, method="wilson")
    with pytest.raises(InputError, match="for 'auc'"):
        interval("f1", table, method="delong")
    with pytest.raises(InputError, match="random generator"):
        interval("f1", table, group, method="bootstrap-bca")
    with pytest.raises(InputError, match="test_to_train"):
        interval("f1", table, group, method="corrected-t")


def test_corrected_resampled_t_agrees_with_scikit_learns_worked_example():
    # scikit-learn's user guide, "Statistical comparison of models using grid search": moons,
    # 10 x 10 folds, radial against linear kernel: t = 0.750, p = 0.227 one-sided.
    images, label = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    scores = [
        cross_val_score(
            SVC(kernel=kernel, random_state=0), images, label, cv=folds, scoring="roc_auc"
        )
        for kernel in ("rbf", "linear")
    ]
    found = corrected_resampled_t(scores[0] - scores[1], 10 / 90)
    assert found.mean / found.standard_error == pytest.approx(0.750, abs=5e-4)
    assert found.p_value / 2 == pytest.approx(0.227, abs=5e-4)


def test_corrected_resampled_t_tends_to_the_plain_t_test():
    values = generator().normal(0.1, 0.2, 12)
    found = corrected_resampled_t(values, 1e-15)
    expected = stats.ttest_1samp(values, 0)
    limits = expected.confidence_interval()
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
    assert (found.lower, found.upper) == pytest.approx((limits.low, limits.high), abs=1e-9)


def test_fold_view_keeps_undefined_folds_apart():
    table, _ = some_predictions()
    table["fold"] = np.arange(len(table)) % 4
    table = table[(table["fold"] != 3) | (table["label"] == 0)]
    values = fold_values("auc", table)
    assert values["fold"].tolist() == [0, 1, 2, 3]
    for fold in (0, 1, 2):
        part = table[table["fold"] == fold]
        expected = oracle.roc_auc_score(part["label"], part["probability"])
        assert values["value"][fold] == pytest.approx(expected, abs=1e-12)
    assert np.isnan(values["value"][3])
    assert values["note"][3] == "no_positive_image"
    found = interval("auc", table, None, "corrected-t", test_to_train=1 / 3)
    assert found.value == pytest.approx(values["value"][:3].mean())
    assert found.note == "mean_of_folds:3; folds_left_out:1"
    with pytest.raises(InputError, match="column 'fold' is missing"):
        fold_values("auc", table.drop(columns="fold"))
    with pytest.raises(InputError, match="must be positive"):
        corrected_resampled_t(np.ones(3), 0)


def test_one_fold_and_equal_folds_are_noted():
    single = corrected_resampled_t(np.array([0.1]), 0.25)
    assert np.isnan(single.p_value)
    assert single.note == "fewer_than_two_folds"
    equal = corrected_resampled_t(np.zeros(5), 0.25)
    assert (equal.mean, equal.p_value) == (0, 1)


def test_roc_curve_agrees_with_scikit_learn_and_is_in_its_bands():
    table, group = some_predictions()
    band = roc_band(table, group, generator(), resamples=300)
    across, along, _ = oracle.roc_curve(table["label"], table["probability"])
    expected = np.interp(band["false_positive_rate"], across, along)
    np.testing.assert_allclose(band["true_positive_rate"], expected, atol=1e-12)
    assert (band["lower"] <= band["upper"]).all()
    inside = (band["band_lower"] <= expected) & (expected <= band["band_upper"])
    assert inside.all()
    width = (band["band_upper"] - band["band_lower"]).max()
    assert width >= (band["upper"] - band["lower"]).max() * 0.9


def test_roc_band_resamples_as_the_weighted_curve_of_scikit_learn():
    table, group = some_predictions(images=80, groups=8)
    grid = np.linspace(0, 1, 11)
    band = roc_band(table, group, generator(5), resamples=40, grid=grid)
    weights = bootstrap_weights(8, 40, generator(5))
    index = group_predictions(table, group).group
    curves = []
    for weight in weights:
        across, along, _ = oracle.roc_curve(
            table["label"], table["probability"], sample_weight=weight[index]
        )
        curves.append(np.interp(grid, across, along))
    np.testing.assert_allclose(band["lower"], np.quantile(curves, 0.025, axis=0), atol=1e-12)
    np.testing.assert_allclose(band["upper"], np.quantile(curves, 0.975, axis=0), atol=1e-12)


def test_sensitivity_at_specificity():
    table, group = some_predictions()
    found = sensitivity_at_specificity(table, 0.9, group)
    across, along, _ = oracle.roc_curve(table["label"], table["probability"])
    assert found.metric == "sensitivity_at_specificity_0.9"
    assert found.value == pytest.approx(np.interp(0.1, across, along), abs=1e-12)
    assert found.lower < found.value < found.upper
    with pytest.raises(InputError, match="specificity must be"):
        sensitivity_at_specificity(table, 90, group)
    with pytest.raises(InputError, match="both classes, got 0 positive and 240 negative"):
        roc_band(table.assign(label=0), group, generator())


def test_interval_of_sensitivity_at_specificity_chooses_the_threshold_again():
    # Oracle: scikit-learn's curve without each group, and Wilson's interval of statsmodels for the
    # effective number of images.
    table, group = some_predictions()
    found = sensitivity_at_specificity(table, 0.9, group)
    without = []
    for name in pd.unique(group):
        rest = table[group != name]
        across, along, _ = oracle.roc_curve(rest["label"], rest["probability"])
        without.append(np.interp(0.1, across, along))
    changes = np.array(without) - found.value
    variance = (len(changes) - 1) / len(changes) * np.sum(changes**2)
    effective = found.value * (1 - found.value) / variance
    counts = group_predictions(table, group).counts
    freedom = spread(changes, contributions("auc", counts)).degrees_of_freedom
    tails = 2 * stats.norm.sf(stats.t.ppf(0.975, freedom))
    limits = proportion_confint(found.value * effective, effective, alpha=tails, method="wilson")
    assert (found.lower, found.upper) == pytest.approx(limits, abs=1e-9)


@pytest.mark.parametrize("probability", [[0.5] * 4, [0.1, 0.9, 0.1, 0.9], [0.9, 0.1, 0.9, 0.1]])
def test_sensitivity_at_specificity_of_ties_and_perfect_order_is_defined(probability):
    table = pd.DataFrame({"label": [0, 1, 0, 1], "probability": probability})
    found = sensitivity_at_specificity(table, 0.9, [0, 1, 2, 3])
    assert 0 <= found.lower <= found.value <= found.upper <= 1
    assert found.upper - found.lower > 0.3
    alone = sensitivity_at_specificity(table, 0.9, [0, 1, 0, 2])
    assert np.isnan(alone.lower)
    assert "fewer_than_two_groups" in alone.note
