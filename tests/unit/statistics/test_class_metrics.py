"""Metrics of more than two classes and their totals by group, against scikit-learn."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle
from support.class_predictions import class_table

from blastfold.core.errors import InputError
from blastfold.core.names import CLASS_METRIC_FACTS, METRICS
from blastfold.core.notes import note_codes
from blastfold.statistics.class_formulas import EVERY_CLASS, FORMULAS
from blastfold.statistics.class_grouped import checked_classes, group_classes
from blastfold.statistics.grouped import bootstrap_weights, group_predictions
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.jackknife import contributions, metric_spread
from blastfold.statistics.metrics import metric_bounds, metric_values, undefined_reason

ORACLES = {
    "accuracy": lambda label, called, _: oracle.accuracy_score(label, called),
    "balanced_accuracy": lambda label, called, _: oracle.balanced_accuracy_score(label, called),
    "macro_f1": lambda label, called, _: oracle.f1_score(label, called, average="macro"),
    "weighted_f1": lambda label, called, _: oracle.f1_score(label, called, average="weighted"),
    "kappa": lambda label, called, _: oracle.cohen_kappa_score(label, called),
    "quadratic_kappa": lambda label, called, _: oracle.cohen_kappa_score(
        label, called, weights="quadratic"
    ),
    "mcc": lambda label, called, _: oracle.matthews_corrcoef(label, called),
    "macro_auc": lambda label, _, probability: oracle.roc_auc_score(
        label, probability, multi_class="ovr", average="macro"
    ),
    "top2_accuracy": lambda label, _, probability: oracle.top_k_accuracy_score(
        label, probability, k=2
    ),
}


def arrays(table):
    label, probability = checked_classes(table)
    return label, probability.argmax(axis=1), probability


def values_of(table, groups=None):
    totals = group_classes(table, groups).totals()
    return {metric: float(metric_values(metric, totals)) for metric in FORMULAS}


@pytest.mark.parametrize("classes", [3, 5, 40])
def test_metrics_are_those_of_scikit_learn(classes):
    table = class_table(classes, groups=2 * classes, seed=classes)
    expected = {name: by(*arrays(table)) for name, by in ORACLES.items()}
    assert values_of(table) == pytest.approx(expected, abs=1e-12)
    assert expected.keys() == FORMULAS.keys() == CLASS_METRIC_FACTS.keys() - {"classwise_ece"}


def test_two_classes_have_the_numbers_of_two_classes():
    table = class_table(2, groups=8)
    found = values_of(table)
    totals = group_predictions(table, np.zeros(len(table))).totals()
    for metric in found.keys() & set(METRICS):
        assert found[metric] == pytest.approx(float(metric_values(metric, totals)), abs=1e-12)
    assert found["macro_auc"] == pytest.approx(float(metric_values("auc", totals)), abs=1e-12)


def test_a_class_against_the_rest_has_the_metrics_of_two_classes():
    table = class_table(4, groups=8)
    label, called, probability = arrays(table)
    one = group_classes(table, table["group"]).of_class[2]
    own = label == 2
    expected = {
        "auc": oracle.roc_auc_score(own, probability[:, 2]),
        "sensitivity": oracle.recall_score(own, called == 2),
        "precision": oracle.precision_score(own, called == 2),
        "f1": oracle.f1_score(own, called == 2),
        "specificity": oracle.recall_score(~own, called != 2),
    }
    for metric, value in expected.items():
        assert float(metric_values(metric, one.totals())) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("metric", FORMULAS)
def test_leaving_a_group_out_is_the_metric_of_the_other_groups(metric):
    table = class_table(3, groups=7, repeats=2, seed=3)
    table["group"] = table["group"].where(table["group"] != "g6", "g5")
    grouped = group_classes(table, table["group"])
    without = metric_values(metric, grouped.totals_without_one())
    for place, group in enumerate(pd.unique(table["group"])):
        others = table[table["group"] != group]
        by_repeat = [group_classes(part).totals() for _, part in others.groupby("repeat")]
        # Mean confusion matrix; the AUC is the mean of the repeats' AUCs.
        expected = float(metric_values(metric, np.mean(by_repeat, axis=0)))
        if metric == "macro_auc":
            expected = np.mean([metric_values(metric, totals) for totals in by_repeat])
        assert without[place] == pytest.approx(expected, abs=1e-12), group


@pytest.mark.parametrize("metric", FORMULAS)
def test_a_resample_is_the_metric_of_the_drawn_groups(metric):
    table = class_table(3, groups=6, seed=4)
    grouped = group_classes(table, table["group"])
    weights = bootstrap_weights(6, 20, np.random.default_rng(0))
    found = metric_values(metric, grouped.totals(weights))
    names = pd.unique(table["group"])
    for row, value in zip(weights, found, strict=True):
        drawn = pd.concat(
            [table[table["group"] == name] for name, n in zip(names, row, strict=True)
             for _ in range(int(n))]
        )  # fmt: skip
        expected = float(metric_values(metric, group_classes(drawn).totals()))
        assert value == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("metric", FORMULAS)
@pytest.mark.parametrize("method", ["jackknife-t", "crossed-t", "bootstrap-percentile"])
def test_intervals_surround_the_value(metric, method):
    table = class_table(3, groups=18, seed=5)
    grouped = group_classes(table, table["group"])
    weights = bootstrap_weights(18, 300, np.random.default_rng(1))
    lower, upper, _ = confidence_limits(metric, grouped, method, weights=weights)
    value = float(metric_values(metric, grouped.totals()))
    low, high = metric_bounds(metric)
    assert low <= lower < value < upper <= high


def test_the_accuracy_of_groups_has_the_interval_of_two_classes():
    # Right or wrong is the same question for any number of classes.
    table = class_table(3, groups=9)
    label, called, _ = arrays(table)
    right = pd.DataFrame({"label": 1, "probability": (label == called).astype(float)})
    expected = confidence_limits(
        "accuracy", group_predictions(right, table["group"]), "jackknife-t"
    )
    found = confidence_limits("accuracy", group_classes(table, table["group"]), "jackknife-t")
    assert found == expected
    by_image = confidence_limits("accuracy", group_classes(table), "wilson")
    assert by_image == confidence_limits("accuracy", group_predictions(right), "wilson")


def test_a_class_of_one_group_has_no_interval_where_every_class_counts():
    table = class_table(3, groups=9)
    table = table[(table["class_label"] != 2) | (table["group"] == "g2")]
    grouped = group_classes(table, table["group"])
    for metric in FORMULAS:
        lower, _, note = confidence_limits(metric, grouped, "jackknife-t")
        assert np.isnan(lower) == (metric in EVERY_CLASS)
        assert ("fewer_than_two_groups" in note_codes(note)) == (metric in EVERY_CLASS)


def test_a_missing_class_is_undefined_with_the_reason():
    table = class_table(3, groups=9)
    totals = group_classes(table[table["class_label"] != 1]).totals()
    for metric in FORMULAS:
        reason = undefined_reason(metric, totals)
        expected = "classes_without_images:1:3" if metric in EVERY_CLASS else ""
        assert reason == expected
        assert np.isnan(metric_values(metric, totals)) == bool(expected)


def test_equal_predictions_are_the_first_class_and_have_a_defined_value_or_a_reason():
    table = class_table(3, groups=9)
    table[[name for name in table if name.startswith("probability_")]] = 1 / 3
    assert set(group_classes(table).predicted) == {0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = values_of(table)
    assert found["macro_auc"] == 0.5
    assert found["accuracy"] == pytest.approx(1 / 3)
    assert found["kappa"] == pytest.approx(0)
    assert found["top2_accuracy"] == pytest.approx(2 / 3)
    assert np.isnan(found["mcc"])
    assert undefined_reason("mcc", group_classes(table).totals()) == "one_class_predicted"


def test_images_of_one_class_and_no_images_have_reasons():
    table = class_table(3, groups=9)
    totals = group_classes(table[table["class_label"] == 1]).totals()
    assert undefined_reason("mcc", totals) == "one_class"
    assert undefined_reason("accuracy", totals) == ""
    assert undefined_reason("accuracy", np.zeros((3, 7))) == "no_images"


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.1, "many"])
def test_invalid_probabilities_are_refused_with_the_image(value):
    table = class_table(3, groups=3).astype({"probability_k1": object})
    table.loc[4, "probability_k1"] = value
    with pytest.raises(InputError, match=r"probability_k1.*a number from 0 to 1.*0-4"):
        group_classes(table)


@pytest.mark.parametrize("value", [np.nan, 3, -1, 0.5])
def test_invalid_labels_are_refused_with_the_image(value):
    table = class_table(3, groups=3).astype({"class_label": float})
    table.loc[4, "class_label"] = value
    with pytest.raises(InputError, match=r"class_label.*0 to 2.*0-4"):
        group_classes(table)


def test_tables_without_rows_or_classes_are_refused():
    table = class_table(3, groups=3)
    with pytest.raises(InputError, match="no rows"):
        group_classes(table.head(0))
    with pytest.raises(InputError, match="class_label"):
        group_classes(table.drop(columns="class_label"))


def test_classes_share_the_weight_of_the_degrees_of_freedom():
    # Three classes of four groups each: between the groups of one class and those of all.
    table = class_table(3, groups=12, images=4)
    grouped = group_classes(table, table["group"])
    parts = contributions("macro_auc", grouped.counts)
    assert [np.count_nonzero(part) for part in parts] == [4, 4, 4]
    assert 3 <= metric_spread("macro_auc", grouped).degrees_of_freedom <= 9
