"""The protocol gap against computations by hand, and hostile inputs."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.tested_models import groups_of, intervals, make_like, make_tested, row_of

from blastfold.core.noted_tables import require_notes
from blastfold.evaluation import protocol_gap
from blastfold.reporting.tables import comparisons as comparison_tables


def gap_of(first, second, groups, group_by=("image", "subject")):
    protocols = dict(zip("ab", group_by, strict=True))
    tested = {("net", "b"): second, ("net", "a"): first}
    return protocol_gap.gap_table(tested, protocols, groups)


def test_the_gap_on_the_same_images_is_the_clustered_paired_t_test_by_hand():
    first, second = make_tested(0.5, seed=1), make_tested(1.5, folds=2, seed=2)
    groups = groups_of(first)
    table = gap_of(first, second, groups)
    right = [
        ((one["probability"] >= 0.5) == (one["label"] == 1)).astype(float)
        for one in (first, second)
    ]
    difference = right[0] - right[1]
    by_group = difference.groupby(groups.to_numpy()).mean()
    # Groups are equally large, so that the jackknife of a mean is the t test of their means.
    error = by_group.std(ddof=1) / np.sqrt(24)
    row = row_of(table, metric="accuracy")
    assert row["view"] == "common images"
    assert row["recommended"]
    assert row["difference"] == pytest.approx(difference.mean(), abs=1e-12)
    assert row["p_value"] == pytest.approx(
        2 * stats.t.sf(abs(by_group.mean()) / error, 23), rel=1e-9
    )
    assert row["common_images"] == row["first_images"] == 120
    assert "common_images:120" in row["note"]
    require_notes(table)


def test_without_a_common_image_or_group_the_variances_add_up():
    whole = make_tested(1.0, images=240, subjects=48, seed=3)
    odd = (np.arange(240) % 48) < 24
    first, second = whole[odd].reset_index(drop=True), whole[~odd].reset_index(drop=True)
    groups = groups_of(whole, size=48)
    table = gap_of(first, second, groups)
    row = row_of(table, metric="accuracy")
    variance, values = 0.0, []
    for side in (first, second):
        right = ((side["probability"] >= 0.5) == (side["label"] == 1)).astype(float)
        means = right.groupby(groups[side["image_id"]].to_numpy()).mean()
        variance += means.var(ddof=1) / len(means)
        values.append(right.mean())
    assert row["view"] == "own images"
    assert row["recommended"]
    assert row["groups"] == 48
    assert row["difference"] == pytest.approx(values[0] - values[1], abs=1e-12)
    half = (row["upper"] - row["lower"]) / 2
    # 48 groups: 47 degrees of freedom, or Welch's of two sets of 23, whichever is fewer; the
    # jackknife of both sets at once leaves 47 / 48 where each alone leaves 23 / 24.
    assert half == pytest.approx(stats.t.ppf(0.975, 45) * np.sqrt(variance), rel=0.03)
    assert "unpaired" in row["note"]


def test_the_protocol_that_groups_by_image_comes_first_and_few_common_images_are_not_quoted():
    whole = make_tested(1.0, images=240, seed=4)
    first, second = whole.iloc[:120], make_like(whole).iloc[100:]
    table = gap_of(second, first, groups_of(whole), group_by=("group", "image"))
    assert set(table["first_protocol"]) == {"b"}
    assert set(table["first_group_by"]) == {"image"}
    quoted = table[table["recommended"]]
    assert set(quoted["view"]) == {"own images", "procedure"}
    assert set(quoted["common_images"]) == {20}
    assert (quoted["first_images"] == 120).all()
    assert (quoted["second_images"] == 140).all()
    require_notes(table)


def test_a_perfect_result_is_not_taken_as_certain():
    whole = make_tested(1.0, images=240, subjects=48, seed=3)
    odd = (np.arange(240) % 48) < 24
    perfect = whole[odd].assign(probability=lambda table: table["label"] * 0.8 + 0.1)
    row = row_of(gap_of(perfect, whole[~odd], groups_of(whole, 48)), metric="specificity")
    alone = intervals(perfect, groups_of(whole, 48))
    exact = row_of(alone, view="pooled", metric="specificity", method="jackknife-t")
    assert row["first"] == 1
    assert "exact_spread_of_one_protocol" in row["note"]
    assert row["difference"] - row["lower"] > 0.9 * (1 - exact["lower"])


def test_a_gap_is_found_and_a_model_with_one_protocol_has_none():
    sharp, dull = make_tested(0.4, images=480, seed=1), make_tested(2.0, images=480, seed=2)
    groups = groups_of(sharp)
    tested = {("net", "a"): sharp, ("net", "b"): dull, ("other", "a"): dull}
    table = protocol_gap.gap_table(tested, {"a": "image", "b": "subject"}, groups)
    assert set(table["model"]) == {"net"}
    row = row_of(table, metric="auc", view="common images")
    assert row["outcome"] == "descriptive"
    assert row["lower"] > 0
    judged = row_of(table, metric="auc", view="procedure")
    # One repeat of other folds each: the seeds of both protocols are in the difference.
    assert (judged["repeats"], judged["family"]) == (1, 1)
    assert judged["upper"] - judged["lower"] > row["upper"] - row["lower"]
    alone = protocol_gap.gap_table({("net", "a"): sharp}, {"a": "image"}, groups)
    assert alone.empty
    assert list(alone.columns) == list(protocol_gap.GAP_COLUMNS)


def test_gap_of_groups_that_tell_no_spread_falls_back_to_images():
    first, second = make_tested(0.5, folds=1), make_tested(1.5, folds=1, seed=2)
    table = gap_of(first, second, groups_of(first, size=2))
    row = row_of(table, metric="balanced_accuracy", recommended=True)
    assert row["method"] == "image-jackknife-t"
    assert row["p_value"] > 0
    judged = row_of(table, metric="auc", recommended=True)
    assert judged["outcome"] == "undefined"
    assert "images_instead_of_groups" in row["note"]
    require_notes(table)


@pytest.mark.parametrize(
    ("limits", "smallest", "shown", "outcome"),
    [
        ((-2.3, 2.7), 2.8, (-100, 100), "no gap detected (too few groups to detect any)"),
        ((-0.1, 0.3), 0.4, (-10, 30), "no gap detected (detectable: 40.0 points)"),
    ],
)
def test_no_difference_beyond_what_a_difference_can_be_is_printed(limits, smallest, shown, outcome):
    row = {
        "model": "a",
        "first_protocol": "p",
        "second_protocol": "q",
        "view": "own images",
        "metric": "accuracy",
        "first_images": 4,
        "second_images": 5,
        "common_images": 0,
        "first": 0.9,
        "second": 0.7,
        "difference": 0.2,
        "lower": limits[0],
        "upper": limits[1],
        "adjusted_p_value": 0.5,
        "minimum_detectable": smallest,
        "outcome": "no_difference",
        "note": "",
    }
    titles = {"model": {"a": "A"}, "protocol": {"p": "P", "q": "Q"}}
    printed = comparison_tables.gap_rows(pd.DataFrame([row]), titles).iloc[0]
    assert (printed["difference_lower"], printed["difference_upper"]) == shown
    assert printed["outcome"] == outcome
    assert (printed["note"] == comparison_tables.CUT) == (limits[0] < -1)
