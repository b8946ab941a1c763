"""Scores of subjects and their intervals, against scikit-learn, SciPy and hand-made tables."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from blastfold.core.notes import note_codes
from blastfold.core.units import BOTH_CLASSES
from blastfold.statistics.intervals import interval
from blastfold.statistics.units import (
    newcombe_interval,
    summarise_units,
    unit_results,
)


def cells(subjects=12, repeats=1, seed=0):
    random = np.random.default_rng(seed)
    rows = []
    for subject in range(subjects):
        effect = random.normal()
        for cell in range(random.integers(1, 9)):
            for repeat in range(repeats):
                probability = 1 / (1 + np.exp(-(2 * (subject % 2) - 1) - effect - random.normal()))
                name = f"{subject}-{cell}"
                rows.append((name, repeat, subject % 3, subject % 2, probability, f"S{subject:02}"))
    columns = ["image_id", "repeat", "fold", "label", "probability", "subject"]
    return pd.DataFrame(rows, columns=columns)


def results_of(units, groups=None):
    return unit_results(units, groups).set_index(["score", "metric"])


def test_scores_are_those_of_hand_made_cells():
    table = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d"],
            "repeat": 0,
            "fold": [0, 0, 1, 2],
            "label": [1, 1, 1, 0],
            "probability": [0.9, 0.5, 0.1, 0.7],
        }
    )
    units = summarise_units(table, ["x", "x", "x", "y"]).set_index("unit")
    first = units.loc["x"]
    assert first["mean_probability"] == pytest.approx(0.5)
    assert first["probability_sd"] == pytest.approx(0.4)
    assert (first["lowest"], first["highest"]) == (0.1, 0.9)
    # A probability of exactly the threshold predicts positive.
    assert first["called_share"] == pytest.approx(2 / 3)
    assert first["errors"] == 1
    assert first["images"] == 3
    assert first["folds"] == "0+1"
    assert units.loc["y", "errors"] == 1
    assert np.isnan(units.loc["y", "probability_sd"])
    assert units.loc["y", "folds"] == "2"


def test_repeats_are_averaged_and_do_not_count_as_more_cells():
    table = cells(repeats=3)
    units = summarise_units(table, table["subject"]).set_index("unit")
    expected = table.groupby(["subject", "repeat"])["probability"].mean().unstack()
    np.testing.assert_allclose(units["mean_probability"], expected.mean(axis=1))
    np.testing.assert_allclose(units["repeat_sd"], expected.std(axis=1, ddof=1))
    distinct = table.groupby("subject")["image_id"].nunique()
    assert (units["images"] == distinct).all()
    wrong = (table["probability"] >= 0.5) != (table["label"] == 1)
    np.testing.assert_allclose(units["errors"], wrong.groupby(table["subject"]).sum() / 3)
    assert units.loc["S00", "folds"] == "0,0,0"
    # One repeat twice gives the same scores as that repeat alone.
    once = cells()
    twice = pd.concat([once, once.assign(repeat=1)])
    columns = ["mean_probability", "probability_sd", "called_share", "errors", "images"]
    pd.testing.assert_frame_equal(
        summarise_units(twice, twice["subject"])[columns],
        summarise_units(once, once["subject"])[columns],
    )


def test_metrics_and_exact_intervals_agree_with_scikit_learn_and_scipy():
    table = cells(40, seed=3)
    units = summarise_units(table, table["subject"])
    found = results_of(units)
    for score in ("mean_probability", "called_share"):
        label, called = units["label"], (units[score] >= 0.5).astype(int)
        assert found.at[(score, "auc"), "value"] == pytest.approx(
            roc_auc_score(label, units[score])
        )
        expected = {
            "accuracy": accuracy_score(label, called),
            "sensitivity": recall_score(label, called),
            "specificity": recall_score(label, called, pos_label=0),
        }
        members = {"accuracy": len(units), "sensitivity": 20, "specificity": 20}
        for metric, value in expected.items():
            row = found.loc[(score, metric)]
            assert row["value"] == pytest.approx(value)
            assert row["method"] == "clopper-pearson"
            hits = round(value * members[metric])
            limits = binomtest(hits, members[metric]).proportion_ci(0.95, method="exact")
            assert (row["lower"], row["upper"]) == pytest.approx(tuple(limits))
        assert found.at[(score, "auc"), "method"] == "newcombe"


@pytest.mark.parametrize(
    ("area", "positives", "negatives"), [(0.8, 9, 9), (0.95, 3, 11), (0.5, 30, 30), (0.2, 5, 60)]
)
def test_newcombe_interval_solves_the_equations_of_the_paper(area, positives, negatives):
    # Newcombe (2006), Part 2, method 5, solved by SciPy's root finder.
    z, typical = norm.ppf(0.975), (positives + negatives) / 2 - 1

    def distance(value):
        likeness = typical * ((1 - value) / (2 - value) + value / (1 + value))
        variance = value * (1 - value) * (1 + likeness) / (positives * negatives)
        return (value - area) ** 2 - z**2 * variance

    expected = brentq(distance, 1e-9, area), brentq(distance, area, 1 - 1e-9)
    assert newcombe_interval(area, positives, negatives) == pytest.approx(expected, abs=1e-6)


def test_newcombe_interval_of_perfect_separation_has_a_width():
    lower, upper = newcombe_interval(1.0, 9, 9)
    assert upper == 1
    assert 0.6 < lower < 0.9
    mirrored = newcombe_interval(0.0, 9, 9)
    assert mirrored == pytest.approx((0, 1 - lower))


def test_related_pictures_have_an_interval_over_groups():
    table = cells(30, seed=4)
    units = summarise_units(table, table["image_id"])
    groups = units["unit"].str.split("-").str[0]
    found = results_of(units, groups)
    named = units.rename(columns={"mean_probability": "probability"})
    for metric in ("auc", "accuracy", "sensitivity", "specificity"):
        row = found.loc[("mean_probability", metric)]
        expected = interval(metric, named, groups, "jackknife-t")
        assert (row["lower"], row["upper"]) == pytest.approx((expected.lower, expected.upper))
        assert row["method"] == "jackknife-t"
        assert row["groups"] == 30


def test_units_of_both_classes_are_left_out_and_counted():
    table = cells(10)
    rows = table.index[table["subject"] == "S05"]
    mixed = pd.concat(
        [table, table.loc[rows[:1]].assign(image_id="other", label=1 - table.at[rows[0], "label"])]
    )
    units = summarise_units(mixed, mixed["subject"])
    assert units.set_index("unit").at["S05", "label"] == BOTH_CLASSES
    found = results_of(units)
    assert (found["units"] == 9).all()
    assert all("units_of_both_classes:1:10" in note for note in found["note"])


@pytest.mark.parametrize(
    ("labels", "probabilities", "undefined"),
    [
        ([1, 1], [0.2, 0.9], {"auc", "specificity"}),
        ([0, 0], [0.5, 0.5], {"auc", "sensitivity"}),
        ([0, 1], [0.5, 0.5], set()),
        ([0, 1, 1], [0.0, 1.0, 1.0], set()),
        ([1], [0.4], {"auc", "specificity"}),
    ],
)
def test_few_or_equal_units_have_defined_values_or_reasons(labels, probabilities, undefined):
    number = len(labels)
    table = pd.DataFrame(
        {
            "image_id": [f"i{place}" for place in range(number)],
            "repeat": 0,
            "fold": 0,
            "label": labels,
            "probability": probabilities,
        }
    )
    found = results_of(summarise_units(table, table["image_id"]))
    for (_, metric), row in found.iterrows():
        if metric in undefined:
            assert np.isnan(row["value"])
            assert note_codes(row["note"])
        else:
            assert 0 <= row["lower"] <= row["value"] <= row["upper"] <= 1
            assert row["upper"] - row["lower"] > 0.1


def test_units_of_both_classes_alone_are_undefined():
    table = pd.DataFrame(
        {"image_id": ["a", "b"], "repeat": 0, "fold": 0, "label": [0, 1], "probability": [0.1, 0.9]}
    )
    found = results_of(summarise_units(table, ["x", "x"]))
    assert found["value"].isna().all()
    assert all("no_images" in note for note in found["note"])
