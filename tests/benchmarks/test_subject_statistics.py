"""Do the intervals of subjects, calibration and operating points hold the truth?

Cells of subjects are simulated and classifiers trained inside the cross-validation by subject
(``support.simulated_subjects``). The truth is that of the trained classifiers on new subjects. Run
with ``-s`` to see the tables.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binomtest, norm
from support.simulated_subjects import FEATURES, GAIN, LIKENESS, QUANTILES, Subjects, train

from blastfold.statistics.calibration import fit_temperature, number_of_bins
from blastfold.statistics.calibration_intervals import brier_interval, calibration_error_interval
from blastfold.statistics.delong import estimate_areas
from blastfold.statistics.recalibration import FEWEST_GROUPS, fit_platt
from blastfold.statistics.roc import roc_band, sensitivity_at_specificity
from blastfold.statistics.units import newcombe_interval, summarise_units, unit_results

RUNS = 300
SPECIFICITIES = (0.90, 0.95)
DESIGNS = ((14, 3), (18, 3), (30, 10), (60, 10))
SIGNALS = (1.4, 2.2)
"""True AUCs of subjects of about 0.90 and 0.98."""


def limits_of(table, random):
    """Return the limits of every quantity of one simulated data set."""
    group = table["subject"].to_numpy()
    units = summarise_units(table.assign(repeat=0, fold=0), table["subject"])
    results = unit_results(units).set_index(["score", "metric"])
    found = {}
    for metric, name in (("auc", "subject AUC"), ("accuracy", "subject accuracy")):
        row = results.loc[("mean_probability", metric)]
        found[name] = row["lower"], row["upper"]
    found["calibration error"] = calibration_error_interval(table, group, random)[:2]
    found["brier"] = brier_interval(table, group)[:2]
    for wanted in SPECIFICITIES:
        interval = sensitivity_at_specificity(table, wanted, group)
        found[f"sensitivity at {wanted:.2f}"] = interval.lower, interval.upper
    band = roc_band(table, group, random, resamples=200, grid=1 - np.array(SPECIFICITIES))
    for row, wanted in enumerate(SPECIFICITIES):
        ends = band.iloc[row][["lower", "upper"]]
        found[f"percentile bootstrap at {wanted:.2f}"] = tuple(ends)
    return found


def coverage(signal, number, folds, runs, seed):
    """Return the share of runs in which each interval holds the truth, and its mean width."""
    world, random, rows = Subjects(signal), np.random.default_rng(seed), []
    for _ in range(runs):
        table, weights, shares = world.cross_validate(random, number, folds)
        truth = world.truth_of_cells(weights, shares, SPECIFICITIES, number_of_bins(table))
        truth |= world.truth_of_subjects(weights, shares)
        for wanted in SPECIFICITIES:
            truth[f"percentile bootstrap at {wanted:.2f}"] = truth[f"sensitivity at {wanted:.2f}"]
        found = limits_of(table, random)
        rows += [
            (name, low <= truth[name] <= high, high - low) for name, (low, high) in found.items()
        ]
    table = pd.DataFrame(rows, columns=["quantity", "covered", "width"])
    return table.groupby("quantity", sort=False).mean()


@pytest.mark.parametrize(("number", "folds"), DESIGNS)
def test_intervals_hold_the_truth_of_the_trained_classifiers(number, folds):
    tables = [coverage(signal, number, folds, RUNS, seed=number) for signal in SIGNALS]
    shown = pd.concat(tables, axis="columns", keys=[f"signal {signal}" for signal in SIGNALS])
    print(f"\n{number} subjects, {folds} folds, {RUNS} data sets\n{shown.round(3).to_string()}")
    asked = ["subject AUC", "calibration error"]
    asked += [f"sensitivity at {wanted:.2f}" for wanted in SPECIFICITIES]
    least = 0.93 if number >= 30 else 0.90
    for table in tables:
        for name in asked:
            covered = table.at[name, "covered"]
            interval = binomtest(round(covered * RUNS), RUNS).proportion_ci(0.95)
            # The Monte Carlo interval has to meet the target range.
            assert interval.high >= least, name


@pytest.mark.parametrize(("positives", "negatives"), [(7, 7), (3, 11), (9, 9), (15, 15), (30, 30)])
def test_newcombes_interval_covers_where_delongs_does_not(positives, negatives):
    random, runs, rows = np.random.default_rng(1), 400, []
    for area in (0.7, 0.9, 0.97):
        covered = np.zeros(2)
        label = np.repeat([1, 0], [positives, negatives])
        for _ in range(runs):
            score = label * np.sqrt(2) * norm.ppf(area) + random.normal(size=len(label))
            estimate = estimate_areas(label, score)
            value, error = estimate.areas[0], np.sqrt(estimate.covariance[0, 0])
            low, high = newcombe_interval(value, positives, negatives)
            covered += low <= area <= high, abs(value - area) <= 1.96 * error
        rows.append((area, *(100 * covered / runs)))
    table = pd.DataFrame(rows, columns=["AUC", "Newcombe %", "DeLong %"])
    print(f"\n{positives} + {negatives} subjects, {runs} data sets\n{table.to_string(index=False)}")
    assert table["Newcombe %"].min() >= 91
    assert (table["Newcombe %"] >= table["DeLong %"]).all()


def log_loss_of(world, weights, slope, intercept):
    """Return the log-loss of recalibrated logits on new cells of both classes."""
    spread = GAIN * np.sqrt((weights[:-1] ** 2).sum() * (LIKENESS**2 + 1))
    losses = []
    for label in (0, 1):
        score = GAIN * (world.means[label] @ weights[:-1] + weights[-1]) + spread * QUANTILES
        scaled = slope * score + intercept
        losses.append(np.mean(np.logaddexp(0, scaled) - label * scaled))
    return np.mean(losses)


def test_few_groups_of_validation_make_calibration_worse():
    """The reason for the number of groups below which nothing is fitted."""
    random, runs, rows = np.random.default_rng(0), 100, []
    for signal in (1.0, 1.8):
        world = Subjects(signal, population=10)
        for groups in (1, 2, 3, 5, 8):
            gains = []
            for _ in range(runs):
                weights = train(*world.draw(random, 14)[:2])
                label = np.repeat([0, 1], 20 * groups)
                effect = LIKENESS * random.normal(size=(2 * groups, FEATURES))
                cells = world.means[label] + np.repeat(effect, 20, axis=0)
                cells = cells + random.normal(size=cells.shape)
                probability = expit(GAIN * (cells @ weights[:-1] + weights[-1]))
                table = pd.DataFrame({"label": label, "probability": probability})
                before = log_loss_of(world, weights, 1, 0)
                platt = fit_platt(table)
                temperature = fit_temperature(table).value
                gains.append(
                    (
                        before - log_loss_of(world, weights, 1 / temperature, 0),
                        before - log_loss_of(world, weights, platt.slope, platt.intercept),
                    )
                )
            rows.append((signal, groups, *np.mean(gains, axis=0)))
    columns = ["signal", "groups per class", "gain of temperature", "gain of Platt scaling"]
    table = pd.DataFrame(rows, columns=columns)
    print(f"\nmean gain in log-loss, {runs} data sets\n{table.round(3).to_string(index=False)}")
    enough = table[table["groups per class"] >= FEWEST_GROUPS]
    one = table[table["groups per class"] == 1]
    for column in columns[2:]:
        assert one[column].mean() < -0.1
        assert enough[column].min() > -0.06
