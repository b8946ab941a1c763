"""Error rate and power of leak contrasts, and permutation p values where labels say nothing."""

import numpy as np
import pytest
from scipy import stats
from support.leak_simulation import simulate_contrast
from support.permutation_simulation import simulated_p_value
from support.procedure_trials import monte_carlo_limits

from blastfold.evaluation.verdicts import compare_trained

RUNS = 300

CONTRASTS = {
    "no leak": ({"disease": 1.2, "effect": 0.3, "leak": False}, 0.0, 0.06),
    "leak of about 5 points": ({"disease": 1.6, "effect": 0.47, "leak": True}, 0.8, 1.0),
}
"""What is simulated (30 subjects, 40 cells each, 5 repeats) and the range of the declared rate."""


@pytest.mark.parametrize("name", CONTRASTS)
def test_how_often_a_leak_is_declared(name):
    settings, least, most = CONTRASTS[name]
    random = np.random.default_rng(1)
    rows = []
    for _ in range(RUNS):
        *arms, groups = simulate_contrast(random, 30, 40, 5, **settings)
        rows.append(compare_trained("auc", *arms, groups, 1))
    declared = sum(row["adjusted_p_value"] < 0.05 for row in rows)
    lower, upper = monte_carlo_limits(declared / RUNS, RUNS)
    first, second = (np.mean([row[side] for row in rows]) for side in ("first", "second"))
    print(
        f"\n{name}: AUC {first:.3f} with, {second:.3f} without; declared in "
        f"{declared / RUNS:.3f} [{lower:.3f}, {upper:.3f}] of {RUNS} runs"
    )
    assert lower <= most
    assert upper >= least


@pytest.mark.parametrize(("subjects", "folds"), [(14, 3), (18, 3), (30, 5)])
def test_permutation_p_values_are_uniform_without_an_effect(subjects, folds):
    random = np.random.default_rng(2)
    values = np.array([simulated_p_value(random, subjects, folds, 99) for _ in range(1000)])
    # Without ties a p value is a multiple of 1 / 100; noise makes it continuous.
    found = stats.kstest(values - random.random(len(values)) / 100, "uniform").pvalue
    low = np.mean(values <= 0.05)
    print(f"\n{subjects} subjects, {folds} folds: KS p {found:.3f}, p <= 0.05 in {low:.3f}")
    assert found > 0.01
