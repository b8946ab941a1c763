"""Variance of the AUC against a published example, another package and the definition."""

import numpy as np
import pandas as pd
import pytest
from confidenceinterval.delong import delong_roc_variance

from blastfold.core.errors import InputError
from blastfold.statistics.delong import area_difference, estimate_areas
from blastfold.statistics.grouped import placements
from blastfold.statistics.intervals import interval

# DeLong, DeLong and Clarke-Pearson (1988), patients with ovarian cancer, as printed in the
# documentation of SAS PROC LOGISTIC ("Comparing Receiver Operating Characteristic Curves"):
# albumin, total protein, K-G score, benefit of surgery.
OVARIAN = np.array(
    [
        (3.0, 5.8, 10, 0),
        (3.2, 6.3, 5, 1),
        (3.9, 6.8, 3, 1),
        (2.8, 4.8, 6, 0),
        (3.2, 5.8, 3, 1),
        (0.9, 4.0, 5, 0),
        (2.5, 5.7, 8, 0),
        (1.6, 5.6, 5, 1),
        (3.8, 5.7, 5, 1),
        (3.7, 6.7, 6, 1),
        (3.2, 5.4, 4, 1),
        (3.8, 6.6, 6, 1),
        (4.1, 6.6, 5, 1),
        (3.6, 5.7, 5, 1),
        (4.3, 7.0, 4, 1),
        (3.6, 6.7, 4, 0),
        (2.3, 4.4, 6, 1),
        (4.2, 7.6, 4, 0),
        (4.0, 6.6, 6, 0),
        (3.5, 5.8, 6, 1),
        (3.8, 6.8, 7, 1),
        (3.0, 4.7, 8, 0),
        (4.5, 7.4, 5, 1),
        (3.7, 7.4, 5, 1),
        (3.1, 6.6, 6, 1),
        (4.1, 8.2, 6, 1),
        (4.3, 7.0, 5, 1),
        (4.3, 6.5, 4, 1),
        (3.2, 5.1, 5, 1),
        (2.6, 4.7, 6, 1),
        (3.3, 6.8, 6, 0),
        (1.7, 4.0, 7, 0),
        (3.7, 6.1, 5, 1),
        (3.3, 6.3, 7, 1),
        (4.2, 7.7, 6, 1),
        (3.5, 6.2, 5, 1),
        (2.9, 5.7, 9, 0),
        (2.1, 4.8, 7, 1),
        (2.8, 6.2, 8, 0),
        (4.0, 7.0, 7, 1),
        (3.3, 5.7, 6, 1),
        (3.7, 6.9, 5, 1),
        (3.6, 6.6, 5, 1),
    ]
)


def clustered_images(images=150, groups=25, seed=0):
    random = np.random.default_rng(seed)
    group = random.integers(groups, size=images)
    label = random.integers(2, size=images)
    effect = random.normal(size=groups)[group]
    scores = label + effect + random.normal(size=(2, images))
    return label, np.round(scores, 1), group


def obuchowski_by_definition(label, scores, group):
    """Obuchowski (1997) as written: loops over clusters and pairs of images."""

    def kernel(blast, normal):
        return 1.0 if blast > normal else 0.5 if blast == normal else 0.0

    names = sorted(set(group))
    blasts = [[index for index in np.flatnonzero(group == name) if label[index]] for name in names]
    normals = [
        [index for index in np.flatnonzero(group == name) if not label[index]] for name in names
    ]
    all_blasts, all_normals = np.flatnonzero(label), np.flatnonzero(1 - label)
    areas, of_blast, of_normal = [], [], []
    for score in scores:
        above = {
            index: np.mean([kernel(score[index], score[other]) for other in all_normals])
            for index in all_blasts
        }
        below = {
            index: np.mean([kernel(score[other], score[index]) for other in all_blasts])
            for index in all_normals
        }
        area = np.mean(list(above.values()))
        areas.append(area)
        of_blast.append([sum(above[i] for i in part) - len(part) * area for part in blasts])
        of_normal.append([sum(below[i] for i in part) - len(part) * area for part in normals])
    of_blast, of_normal = np.array(of_blast), np.array(of_normal)
    with_blast, with_normal = sum(map(bool, blasts)), sum(map(bool, normals))
    count, many, few = len(names), len(all_blasts), len(all_normals)
    s_10 = with_blast / ((with_blast - 1) * many) * of_blast @ of_blast.T
    s_01 = with_normal / ((with_normal - 1) * few) * of_normal @ of_normal.T
    s_11 = count / (count - 1) * of_blast @ of_normal.T
    covariance = s_10 / many + s_01 / few + (s_11 + s_11.T) / (many * few)
    return np.array(areas), covariance


def test_published_example():
    label = OVARIAN[:, 3]
    scores = np.stack([OVARIAN[:, 0], 10 - OVARIAN[:, 2], OVARIAN[:, 1]])
    found = estimate_areas(label, scores)
    # SAS, "ROC Association Statistics": areas and standard errors.
    assert found.areas == pytest.approx([0.7366, 0.7258, 0.6478], abs=5e-5)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.0927, 0.1028, 0.1000], abs=5e-5)
    # SAS, "ROC Contrast Estimation and Testing Results by Row".
    albumin = area_difference(estimate_areas(label, scores[:2]))
    assert albumin["difference"] == pytest.approx(0.0108, abs=5e-5)
    assert albumin["standard_error"] == pytest.approx(0.0953, abs=5e-5)
    assert (albumin["lower"], albumin["upper"]) == pytest.approx((-0.1761, 0.1976), abs=5e-5)
    assert albumin["p_value"] == pytest.approx(0.9102, abs=5e-5)
    protein = area_difference(estimate_areas(label, scores[[2, 1]]))
    assert protein["difference"] == pytest.approx(-0.0780, abs=5e-5)
    assert protein["standard_error"] == pytest.approx(0.1046, abs=5e-5)
    assert protein["p_value"] == pytest.approx(0.4561, abs=5e-5)


def test_variance_agrees_with_confidenceinterval():
    # That package computes ranks in single precision; the values stay exact below 2^24.
    label, scores, _ = clustered_images(images=300)
    found = estimate_areas(label, scores)
    for row, score in enumerate(scores):
        area, variance = delong_roc_variance(label.astype(bool), score)
        assert found.areas[row] == pytest.approx(area, abs=1e-6)
        assert found.covariance[row, row] == pytest.approx(float(variance), abs=1e-6)


def test_clustered_covariance_agrees_with_the_definition():
    label, scores, group = clustered_images()
    areas, covariance = obuchowski_by_definition(label, scores, group)
    found = estimate_areas(label, scores, group)
    np.testing.assert_allclose(found.areas, areas, atol=1e-12)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)


def test_clustered_covariance_with_one_class_a_group_agrees_with_the_definition():
    label, scores, group = clustered_images(groups=12)
    label = group % 2
    found = estimate_areas(label, scores, group)
    _, covariance = obuchowski_by_definition(label, scores, group)
    np.testing.assert_allclose(found.covariance, covariance, atol=1e-12)


def test_every_image_its_own_group_is_delong():
    label, scores, _ = clustered_images()
    alone = estimate_areas(label, scores)
    own = estimate_areas(label, scores, np.arange(len(label)))
    np.testing.assert_array_equal(alone.covariance, own.covariance)


def test_copies_of_every_image_do_not_narrow_the_clustered_interval():
    label, scores, _ = clustered_images()
    copies = np.repeat(np.arange(len(label)), 4)
    once = estimate_areas(label, scores)
    clustered = estimate_areas(label[copies], scores[:, copies], copies)
    naive = estimate_areas(label[copies], scores[:, copies])
    np.testing.assert_allclose(clustered.covariance, once.covariance, rtol=1e-12)
    assert naive.covariance[0, 0] < once.covariance[0, 0] / 3.5


def test_intervals_use_the_estimates():
    label, scores, group = clustered_images()
    probability = 1 / (1 + np.exp(-scores[0]))
    table = pd.DataFrame({"label": label, "probability": probability})
    for method, groups in (("delong", None), ("clustered-delong", group)):
        estimates = estimate_areas(label, probability, groups)
        found = interval("auc", table, group, method)
        half = 1.959963984540054 * np.sqrt(estimates.covariance[0, 0])
        assert found.value == pytest.approx(estimates.areas[0], abs=1e-12)
        assert (found.upper - found.lower) / 2 == pytest.approx(half, abs=1e-12)
    assert "images_taken_as_independent" in interval("auc", table, group, "delong").note


def test_placements_average_to_the_area_with_ties():
    label = np.array([0, 0, 1, 1, 1])
    of_blast, of_normal = placements(label, np.array([0.2, 0.5, 0.5, 0.1, 0.9]))
    np.testing.assert_allclose(of_blast, [0.75, 0, 1])
    np.testing.assert_allclose(of_normal, [2 / 3, 0.5])


def test_identical_orders_are_no_difference():
    label, scores, group = clustered_images()
    found = area_difference(estimate_areas(label, np.stack([scores[0], 3 * scores[0]]), group))
    assert (found["difference"], found["p_value"]) == (0, 1)
    assert found["note"] == "same_order"


def test_undefined_estimates_carry_a_reason():
    single = estimate_areas(np.ones(4), np.arange(4.0))
    assert np.isnan(single.areas).all()
    assert single.note == "one_class"
    lonely = estimate_areas(np.array([0, 0, 0, 1]), np.arange(4.0))
    assert lonely.areas[0] == 1
    assert np.isnan(lonely.covariance).all()
    assert lonely.note == "one_group_with_positive_images"
    constant = np.stack([np.array([0.1, 0.2, 0.8, 0.9]), np.full(4, 0.5)])
    degenerate = area_difference(estimate_areas(np.array([0, 0, 1, 1]), constant))
    assert degenerate["difference"] == 0.5
    assert np.isnan(degenerate["p_value"])
    assert degenerate["note"] == "no_spread_between_images"


def test_lengths_must_agree():
    with pytest.raises(InputError, match="3, 4, 4 images"):
        estimate_areas(np.array([0, 1, 1]), np.arange(4.0))
