"""Subjects of more than two classes, against hand-made cells and exact intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from support.class_predictions import class_table

from blastfold.core.notes import note_codes
from blastfold.core.units import BOTH_CLASSES
from blastfold.statistics.class_units import class_unit_results, summarise_class_units

NAMES = ["k0", "k1", "k2"]


def hand_made():
    rows = [
        ("a", 0, 0, 0, 0.6, 0.3, 0.1),
        ("b", 0, 0, 0, 0.2, 0.5, 0.3),
        ("c", 0, 1, 0, 0.3, 0.4, 0.3),
        ("d", 0, 1, 2, 0.1, 0.2, 0.7),
        ("e", 0, 2, 2, 0.7, 0.2, 0.1),
    ]
    columns = ["image_id", "repeat", "fold", "class_label", *(f"probability_{n}" for n in NAMES)]
    return pd.DataFrame(rows, columns=columns)


def test_shares_and_calls_are_those_of_hand_made_cells():
    units = summarise_class_units(hand_made(), list("xxxyy")).set_index("unit")
    first = units.loc["x"]
    assert (first["label"], first["images"], first["errors"]) == (0, 3, 2)
    assert first[["share_k0", "share_k1", "share_k2"]].tolist() == pytest.approx([1 / 3, 2 / 3, 0])
    assert first["mean_k1"] == pytest.approx(0.4)
    assert (first["majority"], first["mean_call"]) == (1, 1)
    assert first["majority_share"] == pytest.approx(2 / 3)
    assert first["folds"] == "0+1"
    # One cell each: the higher mean probability decides, 0.4 of k0 and of k2 the first.
    second = units.loc["y"]
    assert second["majority_share"] == pytest.approx(0.5)
    assert second["majority"] == 0


def test_an_image_of_several_repeats_counts_once():
    table = hand_made()
    again = table.assign(repeat=1, fold=3)
    again.loc[0, ["probability_k0", "probability_k1"]] = [0.3, 0.6]
    units = summarise_class_units(pd.concat([table, again]), list("xxxyyxxxyy")).set_index("unit")
    assert units.loc["x", "images"] == 3
    assert units.loc["x", "share_k0"] == pytest.approx(0.5 / 3)
    assert units.loc["x", "errors"] == pytest.approx(2.5)
    assert units.loc["x", "folds"] == "0+1,3"


def test_units_of_several_classes_are_left_out_and_counted():
    table = hand_made().assign(class_label=[0, 0, 1, 2, 2])
    units = summarise_class_units(table, list("xxxyy"))
    assert units["label"].tolist() == [BOTH_CLASSES, 2]
    results = class_unit_results(units, NAMES)
    of_calls = results[results["call"] != "shares"]
    assert set(of_calls["units"]) == {1}
    assert all("units_of_several_classes:1:2" in note for note in of_calls["note"])
    undefined = results.set_index(["call", "metric"]).loc[("majority", "balanced_accuracy")]
    assert np.isnan(undefined["value"])
    assert "classes_without_images" in note_codes(undefined["note"])


def test_independent_units_have_the_exact_interval_and_related_ones_the_jackknife():
    table = class_table(3, groups=24, images=4, gain=0.8)
    units = summarise_class_units(table, table["group"])
    accuracy = class_unit_results(units, NAMES).set_index(["call", "metric"])
    for call, column in (("majority", "majority"), ("mean_probability", "mean_call")):
        right = int((units[column] == units["label"]).sum())
        row = accuracy.loc[(call, "accuracy")]
        expected = binomtest(right, 24).proportion_ci(method="exact")
        assert row["value"] == pytest.approx(right / 24)
        assert (row["lower"], row["upper"]) == pytest.approx((expected.low, expected.high))
    related = class_unit_results(units, NAMES, units["label"].astype(str) + units["unit"].str[-1])
    row = related.set_index(["call", "metric"]).loc[("mean_probability", "macro_auc")]
    assert row["method"] == "jackknife-t"
    assert row["lower"] < row["value"] <= row["upper"]


def test_no_units_give_no_rows_and_undefined_results():
    none = summarise_class_units(hand_made(), list("xxxyy")).head(0)
    results = class_unit_results(none, NAMES)
    assert results["value"].isna().all()
    assert (results["note"] != "").all()


def test_predicted_shares_are_compared_with_the_true_ones_of_all_units():
    units = summarise_class_units(hand_made().assign(class_label=[0, 0, 1, 2, 2]), list("xxxyy"))
    first = units.set_index("unit").loc["x"]
    assert first[["true_k0", "true_k1", "true_k2"]].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    # One cell of three, and one of two, would have to be predicted as another class.
    row = class_unit_results(units, NAMES).set_index("metric").loc["share_error"]
    assert row["value"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert row["units"] == 2
    assert 0 <= row["lower"] < row["value"] < row["upper"] <= 1
    alone = class_unit_results(units, NAMES, ["a", "a"]).set_index("metric").loc["share_error"]
    assert note_codes(alone["note"]) == {"fewer_than_two_groups"}
