"""The short form of ``tests/benchmarks/test_subject_statistics.py``: few data sets, wide bounds."""

import numpy as np
from support.simulated_subjects import Subjects

from blastfold.statistics.calibration import number_of_bins
from blastfold.statistics.calibration_intervals import calibration_error_interval
from blastfold.statistics.roc import sensitivity_at_specificity
from blastfold.statistics.units import summarise_units, unit_results


def test_intervals_hold_the_truth_of_trained_classifiers():
    world, random, runs = Subjects(1.4, population=2000), np.random.default_rng(3), 40
    covered = np.zeros(3)
    for _ in range(runs):
        table, weights, shares = world.cross_validate(random, 30, 3)
        truth = world.truth_of_cells(weights, shares, [0.9], number_of_bins(table))
        area = world.truth_of_subjects(weights, shares)["subject AUC"]
        group = table["subject"].to_numpy()
        units = summarise_units(table.assign(repeat=0, fold=0), table["subject"])
        found = unit_results(units).set_index(["score", "metric"]).loc[("mean_probability", "auc")]
        sensitivity = sensitivity_at_specificity(table, 0.9, group)
        error = calibration_error_interval(table, group, random)
        covered += (
            found["lower"] <= area <= found["upper"],
            sensitivity.lower <= truth["sensitivity at 0.90"] <= sensitivity.upper,
            error.lower <= truth["calibration error"] <= error.upper,
        )
    # Of 40 intervals that hold the truth in 95 % of cases, 33 or fewer do so once in 2,000 times.
    assert (covered >= 34).all()
