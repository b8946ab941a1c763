"""Intervals of every metric against independent computations, and hostile inputs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics
from statsmodels.stats.proportion import proportion_confint
from support.tested_models import (
    RATIO,
    comparisons,
    groups_of,
    intervals,
    make_like,
    make_tested,
    row_of,
)

from blastfold.core.errors import InputError
from blastfold.core.names import METRICS
from blastfold.core.noted_tables import require_notes
from blastfold.core.notes import note_codes


def test_values_are_those_of_scikit_learn_and_every_metric_has_one_interval_to_quote():
    tested = make_tested()
    table = intervals(tested, groups_of(tested))
    called = tested["probability"] >= 0.5
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(tested["label"], called),
        "auc": sklearn_metrics.roc_auc_score(tested["label"], tested["probability"]),
        "mcc": sklearn_metrics.matthews_corrcoef(tested["label"], called),
        "weighted_f1": sklearn_metrics.f1_score(tested["label"], called, average="weighted"),
    }
    pooled = table[(table["view"] == "pooled") & table["recommended"]].set_index("metric")
    assert list(pooled.index) == list(METRICS)
    assert pooled["value"][list(expected)].to_dict() == pytest.approx(expected, abs=1e-12)
    assert set(pooled["method"]) == {"crossed-t"}
    assert ((pooled["lower"] < pooled["value"]) & (pooled["value"] < pooled["upper"])).all()
    require_notes(table)


def test_wilson_is_that_of_statsmodels_and_recommended_only_where_images_are_independent():
    tested = make_tested()
    right = ((tested["probability"] >= 0.5) == tested["label"]).sum()
    expected = proportion_confint(right, len(tested), method="wilson")
    grouped = intervals(tested, groups_of(tested))
    alone = intervals(tested, pd.Series(tested["image_id"].values, index=tested["image_id"]))
    for table, recommended in ((grouped, False), (alone, True)):
        row = row_of(table, view="pooled", metric="accuracy", method="wilson")
        assert (row["lower"], row["upper"]) == pytest.approx(expected, abs=1e-12)
        assert row["recommended"] == recommended


def test_the_view_over_folds_is_nadeau_and_bengio_by_hand():
    tested = make_tested()
    values = [
        sklearn_metrics.roc_auc_score(part["label"], part["probability"])
        for _, part in tested.groupby("fold")
    ]
    error = np.sqrt((1 / 3 + RATIO) * np.var(values, ddof=1))
    reach = stats.t.ppf(0.975, 2) * error
    row = row_of(intervals(tested, groups_of(tested)), view="folds", metric="auc")
    assert row["method"] == "corrected-t"
    assert row["value"] == pytest.approx(np.mean(values), abs=1e-12)
    assert row["lower"] == pytest.approx(max(np.mean(values) - reach, 0), abs=1e-12)
    assert row["upper"] == pytest.approx(min(np.mean(values) + reach, 1), abs=1e-12)


def test_a_single_fold_has_no_view_over_folds():
    tested = make_tested(folds=1)
    assert set(intervals(tested, groups_of(tested))["view"]) == {"pooled"}


def test_an_image_without_a_group_is_named():
    tested = make_tested()
    with pytest.raises(InputError, match="1 of 120 images have none, for instance image-005"):
        intervals(tested, groups_of(tested).drop("image-005"))


def test_an_interval_of_groups_that_agree_by_luck_is_noted():
    # Three groups with 80, 80 and 79 of 100 right.
    right = np.concatenate([np.arange(100) < count for count in (80, 80, 79)] * 2)
    label = np.repeat([1, 0], 300)
    tested = pd.DataFrame(
        {
            "image_id": [f"i{place:03d}" for place in range(600)],
            "fold": 0,
            "label": label,
            "probability": np.where(right == (label == 1), 0.9, 0.1),
        }
    )
    groups = pd.Series([f"g{place // 100 % 3}" for place in range(600)], index=tested["image_id"])
    lower, upper = proportion_confint(right.sum(), 600, method="wilson")
    row = row_of(intervals(tested, groups), metric="accuracy", method="jackknife-t")
    assert row["recommended"]
    assert row["upper"] - row["lower"] < upper - lower
    assert "too_narrow" in note_codes(row["note"])
    alike = pd.Series([f"g{place}" for place in range(600)], index=tested["image_id"])
    row = row_of(intervals(tested, alike), metric="accuracy", method="jackknife-t")
    assert "too_narrow" not in note_codes(row["note"])


def test_only_one_class_is_undefined_with_a_reason():
    tested = make_tested().query("label == 1").reset_index(drop=True)
    groups = groups_of(tested)
    table = intervals(tested, groups)
    require_notes(table)
    row = row_of(table, view="pooled", metric="specificity", recommended=True)
    assert np.isnan(row["value"])
    assert row["note"] == "no_negative_image"
    compared = comparisons({"first": tested, "second": make_like(tested)}, groups)
    require_notes(compared)
    of_auc = compared.query("metric == 'auc' and view == 'pooled'")
    assert set(of_auc["outcome"]) == {"undefined"}
    assert of_auc["note"].str.startswith("no_negative_image").all()


def test_a_fold_of_one_class_is_left_out_of_the_view_over_folds_with_a_note():
    tested = make_tested()
    tested.loc[tested["label"] == 0, "fold"] = tested["fold"].clip(lower=1)
    groups = groups_of(tested)
    table = intervals(tested, groups)
    require_notes(table)
    row = row_of(table, view="folds", metric="auc")
    assert "folds_left_out:1" in row["note"]
    assert 0 < row["value"] <= 1
    require_notes(comparisons({"first": tested, "second": make_like(tested)}, groups))


def test_cross_validated_networks_have_a_quarter_more_variance_between_groups():
    tested = make_tested()
    table = intervals(tested, groups_of(tested))
    pooled = table[(table["view"] == "pooled") & (table["metric"] == "auc")].set_index("method")
    half = (pooled["upper"] - pooled["lower"]) / 2
    # Wilson's form is not symmetric; far from its bounds its width grows with the standard error.
    assert half["crossed-t"] / half["jackknife-t"] == pytest.approx(1.25**0.5, abs=0.04)
    alone = intervals(tested.assign(fold=0), groups_of(tested))
    assert "crossed-t" not in set(alone["method"])
