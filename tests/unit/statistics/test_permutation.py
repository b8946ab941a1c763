"""Permutation p values against SciPy and by hand, and uniform where labels say nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from support.permutation_simulation import labelled_subjects, simulated_p_value

from blastfold.core.permutation_table import COLUMNS
from blastfold.datasets.label_permutations import permuted, subjects_have_labels
from blastfold.evaluation.permutations import mean_of_folds, permutation_rows
from blastfold.statistics.permutation import permutation_test


def random():
    return np.random.default_rng(0)


def test_the_p_value_is_that_of_phipson_and_smyth():
    # Their equation 2: (b + 1) / (m + 1).
    found = permutation_test(0.8, np.array([0.9, 0.7, 0.6, 0.5]), random())
    assert found.p_value == pytest.approx(2 / 5)
    assert permutation_test(0.8, np.array([0.1] * 199), random()).p_value == pytest.approx(1 / 200)


def test_it_agrees_with_scipys_permutation_test_without_ties():
    sample = np.random.default_rng(4).normal(size=(2, 9)) + np.array([[0.4], [0]])
    result = stats.permutation_test(
        list(sample),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        n_resamples=300,
        alternative="greater",
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    found = permutation_test(result.statistic, result.null_distribution, random())
    assert found.p_value == pytest.approx(result.pvalue)
    assert found.median == pytest.approx(np.median(result.null_distribution))


def test_with_ties_everywhere_the_p_value_is_uniform():
    generator = np.random.default_rng(2)
    values = [permutation_test(0.5, np.full(19, 0.5), generator).p_value for _ in range(2000)]
    counts = np.bincount(np.rint(20 * np.array(values)).astype(int), minlength=21)[1:]
    assert counts.sum() == 2000
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize(
    ("observed", "null", "permutations"),
    [(np.nan, [0.4, 0.6], 2), (0.7, [], 0), (0.7, [np.nan, np.nan], 0)],
)
def test_what_is_not_defined_is_not_a_p_value(observed, null, permutations):
    found = permutation_test(observed, np.array(null), random())
    assert np.isnan(found.p_value)
    assert found.permutations == permutations


def test_permutations_among_subjects_keep_subjects_whole_and_numbers_of_labels():
    images = labelled_subjects(8, 3)
    drawn = permuted(images, "subject", 300, 1, "cells")
    by_subject = drawn.reshape(300, 8, 3)
    assert (by_subject == by_subject[:, :, :1]).all()
    assert (by_subject[:, :, 0].sum(axis=1) == 4).all()
    # Free: every subject has each label about as often, and more permutations change no other.
    assert np.abs(by_subject[:, :, 0].mean(axis=0) - 0.5).max() < 4 * np.sqrt(0.25 / 300)
    assert (permuted(images, "subject", 5, 1, "cells") == drawn[:5]).all()
    assert (permuted(images, "image", 50, 1, "cells").sum(axis=1) == 12).all()


def test_labels_belong_to_subjects_only_where_each_has_one():
    images = labelled_subjects(8, 3)
    assert subjects_have_labels(images)
    assert not subjects_have_labels(images.assign(subject=""))
    assert not subjects_have_labels(images.assign(label=["0", "1"] * 12))
    assert not subjects_have_labels(images.assign(label="1"))


def heads_of(areas):
    """A table of permutations, from the AUC of every fold by labels and permutation."""
    rows = [
        (labels, number, 0, fold, area, 5, 5)
        for (labels, number), of_folds in areas.items()
        for fold, area in enumerate(of_folds)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_folds_without_an_area_are_left_out_of_the_mean_with_a_note():
    table = heads_of(
        {
            ("true", 0): [0.9, 0.7],
            ("image", 0): [0.5, 0.5],
            ("image", 1): [np.nan, 0.95],
            ("image", 2): [np.nan, np.nan],
        }
    )
    subject, image = permutation_rows(table, mean_of_folds(table), 1, ["a", "b", "c"])
    assert image["observed"] == pytest.approx(0.8)
    assert (image["permutations"], image["p_value"]) == (2, pytest.approx(2 / 3))
    assert image["note"] == "folds_of_one_class:3:6"
    assert subject["note"] == "labels_of_subjects_unknown"
    assert np.isnan(subject["p_value"])


def test_the_p_value_is_uniform_where_subjects_labels_say_nothing():
    """A short form of the benchmark: learners are really trained, on every permutation."""
    generator = np.random.default_rng(8)
    values = [simulated_p_value(generator, 12, 3, 39) for _ in range(120)]
    jittered = np.array(values) - generator.random(len(values)) / 40
    assert stats.kstest(jittered, "uniform").pvalue > 0.01
