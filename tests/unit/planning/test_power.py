"""Planned numbers of subjects against statsmodels and a simulated run."""

import math

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.power import TTestPower
from support.tested_models import groups_of, make_tested

from blastfold.core.errors import InputError
from blastfold.planning.power import Components, main, plan_subjects


@pytest.mark.parametrize("effect", [0.3, 0.5, 0.8])
def test_without_noise_of_seeds_the_plan_is_the_paired_t_test_of_statsmodels(effect):
    # Twenty subjects whose differences have a standard deviation of 0.1.
    found = Components(20, 0.1**2 / 20, 20.0, 0.0)
    needed = found.subjects_for(effect * 0.1, repeats=5)
    expected = TTestPower().solve_power(effect, alpha=0.05, power=0.8)
    # One degree of freedom per subject here, subjects minus one there.
    assert abs(needed - expected) <= 2


def test_repeats_limit_what_subjects_can_reach():
    found = Components(20, 0.01 / 20, 19.0, 0.03**2)
    assert found.subjects_for(0.03, repeats=3) is None
    few, many = (found.subjects_for(0.05, repeats) for repeats in (10, 20))
    assert few > many > 1
    assert found.detectable(many, 20) <= 0.05 < found.detectable(many - 1, 20)
    assert found.subjects_for(0.05, 20, significance=0.005) > many


def repeated(noise, seed):
    tables = [make_tested(noise, seed=10 * seed + repeat) for repeat in range(3)]
    labels = tables[0]
    return [table.assign(repeat=repeat) for repeat, table in enumerate(tables)], labels


def test_a_finished_run_gives_a_plan_for_every_pair():
    tested = {}
    for seed, (model, noise) in enumerate({"sharp": 0.5, "dull": 1.5, "blunt": 1.6}.items()):
        tables, labels = repeated(noise, seed + 1)
        tested[model] = pd.concat(tables, ignore_index=True)
    plan = plan_subjects(tested, groups_of(labels), "auc", 0.1, family=3)
    assert len(plan) == 3
    assert set(plan["subjects"]) == {24}
    needed = plan["repeats_20"].replace("-", np.inf).astype(float)
    fewer = plan["repeats_5"].replace("-", np.inf).astype(float)
    assert (needed <= fewer).all()
    assert (needed > 0).all()


def test_one_repeat_gives_no_plan():
    tested = {"sharp": make_tested(0.5), "dull": make_tested(1.5, seed=2)}
    with pytest.raises(InputError, match="one repeat"):
        plan_subjects(tested, groups_of(tested["sharp"]), "auc", 0.1)
    assert math.isnan(Components(5, math.nan, 4.0, 0.1).detectable(10, 3))


def test_a_single_model_has_no_difference_to_plan(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(
        "datasets: {cells: {format: folder}}\nprotocols: {folds: {kind: kfold}}\n"
        "models: {cnn: {architecture: simple_cnn}}\n"
        "experiments: [{datasets: [cells], protocols: [folds], models: [cnn]}]\n"
    )
    with pytest.raises(InputError, match="no data set has two models under one protocol"):
        main([str(path), "--difference", "5"])
