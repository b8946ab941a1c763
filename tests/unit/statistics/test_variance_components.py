"""Variance components against textbook data, exact expectations and simulated procedures."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from blastfold.core.names import COMPONENTS
from blastfold.statistics.repeated import repeated_scores, subtract, summarise
from blastfold.statistics.variance_components import components, one_way

# Yield of dyestuff from six batches (Davies 1947, Statistical methods in research and production).
DYESTUFF = [
    (1545, 1440, 1440, 1520, 1580),
    (1540, 1555, 1490, 1560, 1495),
    (1595, 1550, 1605, 1510, 1560),
    (1445, 1440, 1595, 1465, 1545),
    (1595, 1630, 1515, 1635, 1625),
    (1520, 1455, 1450, 1480, 1445),
]


def test_dyestuff_has_the_variances_of_the_literature():
    # Bates (2010), lme4: Mixed-effects modeling with R, section 1.3: 1764.05 and 2451.25 by REML,
    # which is the estimate from the mean squares where groups are of equal size.
    found = one_way([np.array(batch) for batch in DYESTUFF])
    assert found.between == pytest.approx(1764.05, abs=0.005)
    assert found.within == pytest.approx(2451.25, abs=0.005)
    assert found.within_freedom == 24
    assert not found.negative


@pytest.mark.parametrize("sizes", [(1, 1, 1, 1, 1, 5), (2, 3), (4, 1, 7)])
def test_estimates_of_unequal_groups_have_the_right_expectation(sizes):
    # A quadratic form y'Ay has the expectation trace(A V): A from its values at unit vectors.
    size = sum(sizes)
    cuts = np.cumsum(sizes)[:-1]

    def forms(values):
        groups = np.split(values, cuts)
        found = one_way(groups)
        # Also below 0: the sum of squares between groups, written out.
        means = np.array([group.mean() for group in groups])
        weights = np.array(sizes)
        square = weights @ (means - values.mean()) ** 2 / (len(sizes) - 1)
        common = (size - (weights**2).sum() / size) / (len(sizes) - 1)
        between = (square - found.within) / common
        assert found.between == pytest.approx(max(between, 0), abs=1e-12)
        return np.array([found.within, between])

    units = np.eye(size)
    matrix = np.array([[(forms(a + b) - forms(a) - forms(b)) / 2 for b in units] for a in units])
    together = np.repeat(np.arange(len(sizes)), sizes)
    of_groups = (together[:, np.newaxis] == together).astype(float)
    variance = 3.0 * np.eye(size) + 2.0 * of_groups
    expected = np.einsum("ijk,ji->k", matrix, variance)
    assert expected == pytest.approx([3.0, 2.0])


def test_one_value_per_group_separates_nothing():
    found = one_way([np.array([1.0]), np.array([2.0]), np.array([])])
    assert np.isnan([found.within, found.between]).all()
    only = one_way([np.array([1.0, 3.0])])
    assert only.within == 2.0
    assert np.isnan(only.between)


def procedure(repeats, seed, split_sd=0.0, seed_sd=0.0, subject_sd=0.0, redraw=True):
    """Accuracies whose parts are known: each subject's share of right images is drawn."""
    random = np.random.default_rng(seed)
    subjects, cells = 60, 100
    own = random.normal(0, subject_sd, subjects)
    rows, split = [], random.normal(0, split_sd)
    for repeat in range(repeats):
        split = random.normal(0, split_sd) if redraw else split
        moved = split + random.normal(0, seed_sd)
        share = np.clip(0.75 + own + moved, 0, 1)
        right = np.arange(cells) < np.round(share * cells)[:, np.newaxis]
        label = np.arange(subjects) % 2
        predicted = np.where(right, label[:, np.newaxis], 1 - label[:, np.newaxis])
        table = pd.DataFrame({"probability": predicted.ravel().astype(float)})
        table["label"] = np.repeat(label, cells)
        table["group"] = np.repeat(np.arange(subjects).astype(str), cells)
        table["image_id"] = np.arange(subjects * cells).astype(str)
        rows.append(table.assign(repeat=repeat, fold=repeat))
    return summarise("accuracy", repeated_scores(pd.concat(rows)))


def by_name(found):
    assert [part.component for part in found] == list(COMPONENTS)
    return {part.component: part for part in found}


def test_components_of_a_simulated_procedure_are_found():
    sizes = {"split_sd": 0.03, "seed_sd": 0.02, "subject_sd": 0.08}
    found = [
        by_name(
            components(
                procedure(5, 2 * run, **sizes), procedure(5, 2 * run + 1, redraw=False, **sizes)
            )
        )
        for run in range(60)
    ]
    mean = {name: np.mean([parts[name].variance for parts in found]) for name in COMPONENTS}
    # The standard errors of these means are about 10 % of them.
    assert mean["seeds"] == pytest.approx(0.02**2, rel=0.25)
    assert mean["splits"] == pytest.approx(0.03**2, rel=0.35)
    assert mean["seeds and splits"] == pytest.approx(0.02**2 + 0.03**2, rel=0.25)
    assert mean["subjects"] == pytest.approx(0.08**2 / 60, rel=0.25)
    covered = [parts["seeds"].lower < 0.02**2 < parts["seeds"].upper for parts in found]
    # 60 runs of a 95 % interval: fewer than 51 have a probability of 0.0005.
    assert sum(covered) >= 51


def test_intervals_are_those_of_a_chi_squared_variance():
    summary = procedure(5, 3, seed_sd=0.05)
    part = by_name(components(summary))["seeds and splits"]
    values = summary.values
    for end, share in ((part.lower, 0.025), (part.upper, 0.975)):
        # P(s^2 >= observed | sigma^2 = lower) = 0.025 and so on, by the distribution itself.
        assert stats.chi2.cdf(4 * values.var(ddof=1) / end, 4) == pytest.approx(1 - share)


def test_what_cannot_be_separated_has_a_note():
    alone = by_name(components(procedure(4, 1, split_sd=0.05)))
    assert "seeds_not_separated" in alone["seeds"].note
    assert "seeds_not_separated" in alone["splits"].note
    assert alone["seeds and splits"].variance > 0
    seeds = by_name(components(None, procedure(4, 1, seed_sd=0.05, redraw=False)))
    assert seeds["seeds"].variance > 0
    assert "fewer_than_two_repeats" in seeds["splits"].note
    assert "fewer_than_two_repeats" in seeds["seeds and splits"].note
    for parts in (alone, seeds, by_name(components(procedure(1, 1)))):
        for part in parts.values():
            numbers = (part.variance, part.lower, part.upper, part.freedom)
            assert part.note or not np.isnan(numbers).any()


def test_extreme_results_have_defined_components():
    same = procedure(3, 1)
    parts = by_name(components(subtract(same, same), subtract(same, same)))
    assert {part.variance for part in parts.values()} == {0.0}
    one = pd.DataFrame({"image_id": ["a", "b"], "label": [0, 1], "group": ["s", "t"]})
    one = pd.concat([one.assign(repeat=r, fold=r, probability=[0.2, np.nan]) for r in range(2)])
    found = by_name(components(summarise("auc", repeated_scores(one))))
    for part in found.values():
        assert np.isnan(part.variance)
        assert part.note
    other = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d"],
            "label": [0, 1, 0, 1],
            "group": ["s", "t", "u", "v"],
            "repeat": [0, 0, 1, 1],
            "fold": [0, 0, 1, 1],
            "probability": [0.2, 0.7, 0.6, 0.4],
        }
    )
    holdout = by_name(components(summarise("auc", repeated_scores(other))))
    assert holdout["seeds and splits"].variance == 0.5
    assert "repeats_test_other_images" in holdout["subjects"].note
