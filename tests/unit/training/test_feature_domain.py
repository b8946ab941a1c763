"""Distances from training images: against theory, and with subjects left out."""

import numpy as np
import pytest
from scipy import stats

from blastfold.core.errors import InputError
from blastfold.training.feature_domain import (
    distances_from,
    fit_domain,
    read_domains,
    relative_distances,
    unit_vectors,
    write_domains,
)


def test_distances_of_normal_features_are_those_of_the_chi_square_distribution():
    random = np.random.default_rng(1)
    turn = stats.ortho_group.rvs(3, random_state=1)

    def draw(count):
        return (random.normal(size=(count, 3)) * (1, 5, 0.2)) @ turn + (4, 0, -2)

    domain = fit_domain(draw(4000), np.arange(4000))
    # Mahalanobis distances of three features: the root of a chi-square of three degrees.
    assert domain.threshold == pytest.approx(stats.chi2.ppf(0.99, 3) ** 0.5, rel=0.05)
    point = np.array([[5.0, 1, 1]])
    covariance = turn.T @ np.diag([1, 25, 0.04]) @ turn
    apart = point[0] - (4, 0, -2)
    expected = np.sqrt(apart @ np.linalg.solve(covariance, apart))
    assert distances_from(domain, point)[0] == pytest.approx(expected, rel=0.1)


def test_unit_vectors_have_length_one_and_nothing_stays_nothing():
    found = unit_vectors(np.array([[3, 4], [0, 0], [0.5, 0]]))
    assert found.tolist() == [[0.6, 0.8], [0, 0], [1, 0]]


def test_fewer_images_than_features_flag_few_new_images_and_all_other_ones():
    random = np.random.default_rng(2)
    mixed = random.normal(size=(150, 150)) / 150**0.5 * np.linspace(3, 0.1, 150)

    def draw(count):
        return random.normal(size=(count, 150)) @ mixed.T

    domain = fit_domain(draw(80), np.arange(80))
    assert (relative_distances(domain, draw(300)) > 1).mean() < 0.03
    assert (relative_distances(domain, 2 * draw(300)) > 1).mean() > 0.95


def test_the_threshold_holds_for_new_subjects_where_subjects_are_left_out():
    random = np.random.default_rng(3)

    def draw(subjects):
        means = np.repeat(random.normal(size=(subjects, 30)), 20, axis=0)
        return means + random.normal(size=means.shape)

    features, new = draw(12), draw(100)
    by_subject = fit_domain(features, np.repeat(np.arange(12), 20))
    by_image = fit_domain(features, np.arange(240))
    assert (relative_distances(by_subject, new) > 1).mean() < 0.03
    assert (relative_distances(by_image, new) > 1).mean() > 0.2


def test_features_without_variance_and_few_images(tmp_path):
    assert fit_domain(np.zeros((19, 4)), np.arange(19)) is None
    random = np.random.default_rng(4)
    features = np.zeros((40, 4))
    features[:, 0] = random.normal(size=40)
    # All images of one subject: single images are left out.
    domain = fit_domain(features, ["one"] * 40)
    assert np.isfinite(relative_distances(domain, features)).all()
    assert relative_distances(domain, np.ones((1, 4)))[0] > 100
    write_domains({3: domain}, tmp_path / "domain.npz")
    [(fold, read)] = read_domains(tmp_path / "domain.npz").items()
    assert fold == 3
    np.testing.assert_allclose(
        relative_distances(read, features), relative_distances(domain, features), rtol=1e-3
    )
    (tmp_path / "other.npz").write_bytes(b"text")
    with pytest.raises(InputError, match=r"other\.npz: is not the description"):
        read_domains(tmp_path / "other.npz")
