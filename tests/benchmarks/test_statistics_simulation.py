"""Do 95 % intervals hold the truth 95 times of 100, and do tests at 5 % reject 5 of 100?

Images come in subjects: a subject has an effect of its own on the score, and sizes differ (a
coefficient of variation of 0.8). In the first design a subject is healthy or ill, as in C-NMC;
in the second its images are mixed. The true values are known in closed form. Run with ``-s``
to see the tables.
"""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import expit

from blastfold.core.names import METRICS
from blastfold.statistics.comparison import ModelPair, compare
from blastfold.statistics.folds import corrected_resampled_t
from blastfold.statistics.grouped import bootstrap_weights, group_predictions
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.metrics import metric_values
from blastfold.statistics.roc import roc_band

DESIGNS = ("one class a subject", "mixed subjects")
MEAN_IMAGES, VARIATION = 20, 0.8
BLASTS = 0.6
SIGNAL, SHIFT = 1.2, 0.25
"""Distance of the class means from the threshold is SIGNAL +- SHIFT standard deviations."""
LIKENESS = 0.3
"""Share of the score's variance that the images of a subject have in common."""


def draw_subjects(random, subjects, design):
    """Draw labels and subjects of the images; both classes have two subjects at least."""
    spread = np.sqrt(np.log(1 + VARIATION**2))
    while True:
        sizes = random.lognormal(np.log(MEAN_IMAGES) - spread**2 / 2, spread, subjects)
        group = np.repeat(np.arange(subjects), np.maximum(np.round(sizes), 2).astype(int))
        if design == "mixed subjects":
            share = random.beta(3, 2, subjects)
            return (random.random(len(group)) < share[group]).astype(int), group
        ill = random.random(subjects) < BLASTS
        if 2 <= ill.sum() <= subjects - 2:
            return ill[group].astype(int), group


def draw_noise(random, group):
    subject = np.sqrt(LIKENESS) * random.normal(size=group.max() + 1)[group]
    return subject + np.sqrt(1 - LIKENESS) * random.normal(size=len(group))


def probabilities(label, noise):
    return expit(2 * (SIGNAL * (2 * label - 1) + SHIFT + noise))


def draw_predictions(random, subjects, design):
    label, group = draw_subjects(random, subjects, design)
    probability = probabilities(label, draw_noise(random, group))
    return pd.DataFrame({"label": label, "probability": probability}), group


def true_values():
    sensitivity, specificity = stats.norm.cdf(SIGNAL + SHIFT), stats.norm.cdf(SIGNAL - SHIFT)
    cells = np.array([specificity, 1 - specificity, 0, 0]) * (1 - BLASTS)
    cells += np.array([0, 0, 1 - sensitivity, sensitivity]) * BLASTS
    area = stats.norm.cdf(2 * SIGNAL / np.sqrt(2))
    totals = np.append(cells, area * BLASTS * (1 - BLASTS))
    return {metric: float(metric_values(metric, totals)) for metric in METRICS}


def measure_intervals(seed, subjects, design, datasets, methods, metrics, resamples=0):
    """Return coverage and mean width: frames (methods, metrics); undefined is not covered."""
    random, truth = np.random.default_rng(seed), true_values()
    covered = np.zeros((len(methods), len(metrics)))
    width = np.zeros_like(covered)
    for _ in range(datasets):
        table, group = draw_predictions(random, subjects, design)
        grouped = group_predictions(table, group)
        weights = bootstrap_weights(subjects, resamples, random) if resamples else None
        for row, method in enumerate(methods):
            for column, metric in enumerate(metrics):
                lower, upper, _ = confidence_limits(metric, grouped, method, 0.95, weights)
                covered[row, column] += lower <= truth[metric] <= upper
                width[row, column] += np.nan_to_num(upper - lower, nan=1.0)
    return (
        pd.DataFrame(100 * covered / datasets, index=methods, columns=metrics),
        pd.DataFrame(width / datasets, index=methods, columns=metrics),
    )


def show(title, table):
    print(f"\n{title}\n{table.round(3).to_string()}")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("subjects", [30, 60])
def test_intervals_over_many_subjects_cover(subjects, design):
    datasets = 1500
    coverage, width = measure_intervals(1, subjects, design, datasets, ["jackknife-t"], METRICS)
    table = pd.concat([coverage, width], keys=["coverage %", "mean width"])
    show(f"{subjects} subjects, {design}, {datasets} data sets", table)
    assert coverage.min().min() >= 93
    assert coverage.max().max() <= 97


def test_chosen_interval_is_the_best_of_few_subjects():
    methods = [
        "jackknife-t", "robust-t", "bootstrap-percentile", "bootstrap-bca", "bootstrap-t",
    ]  # fmt: skip
    metrics = ("accuracy", "sensitivity", "auc")
    tables, sizes = {}, (5, 10, 15, 30)
    for design in DESIGNS:
        for subjects in sizes:
            coverage, width = measure_intervals(
                2, subjects, design, 300, methods, metrics, resamples=300
            )
            tables[design, subjects] = pd.concat(
                [coverage, width.add_suffix(" width")], axis="columns"
            )
    table = pd.concat(tables)
    show("few subjects: coverage % and mean width, 300 data sets", table)
    few = table.loc[(slice(None), [5, 10, 15]), list(metrics)]
    # Missing the truth too often misleads; covering it too often only costs width.
    shortfall = (95 - few).clip(lower=0).groupby(level=2).mean().mean(axis=1)
    distance = (95 - few).abs().groupby(level=2).mean().mean(axis=1)
    show("5 to 15 subjects", pd.DataFrame({"shortfall": shortfall, "distance": distance}))
    assert shortfall.idxmin() == "jackknife-t"
    assert distance.idxmin() == "jackknife-t"
    assert few.xs("jackknife-t", level=2).min().min() >= 92


@pytest.mark.parametrize("subjects", [5, 10, 15])
def test_few_subjects_are_warned_of(subjects):
    random = np.random.default_rng(3)
    for design in DESIGNS:
        table, group = draw_predictions(random, subjects, design)
        grouped = group_predictions(table, group)
        for metric in METRICS:
            assert "few groups" in confidence_limits(metric, grouped, "jackknife-t")[2]


def equal_models(random, label, group, independent=False):
    """Two models that are equally good, whose errors are related image by image."""
    shared = draw_noise(random, group)
    models = []
    for _ in range(2):
        noise = np.sqrt(0.5) * (shared + draw_noise(random, group))
        table = pd.DataFrame({"label": label, "probability": probabilities(label, noise)})
        models.append(group_predictions(table, None if independent else group))
    return ModelPair(table, None if independent else group, tuple(models), (0.5, 0.5))


TESTS = (
    ("accuracy", "jackknife-t"),
    ("auc", "jackknife-t"),
    ("f1", "jackknife-t"),
    ("accuracy", "bootstrap"),
    ("auc", "bootstrap"),
    ("auc", "clustered-delong"),
    ("auc", "delong"),
    ("accuracy", "mcnemar"),
)


def test_paired_tests_keep_their_level():
    datasets, rejected = 300, {}
    for design in DESIGNS:
        for subjects in (10, 30, 60):
            random = np.random.default_rng(4)
            p_values = []
            for _ in range(datasets):
                pair = equal_models(random, *draw_subjects(random, subjects, design))
                options = {"random_generator": random, "resamples": 200}
                p_values.append(
                    [compare(metric, pair, name, **options).p_value for metric, name in TESTS]
                )
            shares = 100 * np.mean(np.array(p_values) < 0.05, axis=0)
            rejected[design, subjects] = dict(zip(TESTS, shares, strict=True))
    table = pd.DataFrame(rejected)
    show(f"type I error in %, nominal 5, {datasets} data sets", table)
    jackknife = table.xs("jackknife-t", level=1)
    assert jackknife.max().max() <= 7.5
    # Near AUC 1 few subjects make the difference, and the test is cautious.
    assert jackknife.loc["accuracy"].min() >= 2
    # Taking images as independent rejects equal models far too often: the reason for the rest.
    assert table.loc[("accuracy", "mcnemar")].min() > 8
    assert table.loc[("auc", "delong")].min() > 8


def test_independent_images_need_no_groups():
    random, rejected = np.random.default_rng(5), []
    tests = (
        ("accuracy", "mcnemar"),
        ("accuracy", "jackknife-t"),
        ("auc", "delong"),
        ("auc", "jackknife-t"),
    )
    for _ in range(1000):
        label = random.integers(2, size=200)
        pair = equal_models(random, label, np.arange(200), independent=True)
        rejected.append([compare(metric, pair, name).p_value < 0.05 for metric, name in tests])
    shares = pd.Series(100 * np.mean(rejected, axis=0), index=pd.Index(tests))
    show("type I error in %, nominal 5, 200 independent images, 1000 data sets", shares)
    assert shares.max() <= 7
    # McNemar's exact test is conservative: whole counts cannot reach 5 % exactly.
    assert shares.iloc[0] <= shares.iloc[1]
    assert shares.iloc[1:].min() >= 2.5


def nearest_mean_accuracy(features, label, train, test):
    means = [features[train & (label == value)].mean(axis=0) for value in (0, 1)]
    distances = [np.sum((features[test] - mean) ** 2, axis=1) for mean in means]
    return np.mean((distances[1] < distances[0]) == label[test])


def test_corrected_t_over_folds_keeps_its_level():
    # Two learners on different, equally good features, compared by 10-fold cross-validation.
    random, corrected, plain = np.random.default_rng(6), [], []
    folds = np.arange(200) % 10
    for _ in range(1000):
        label = random.permutation(np.arange(200) % 2)
        features = random.normal(size=(2, 200, 5)) + 0.3 * label[:, np.newaxis]
        differences = np.zeros(10)
        for fold in range(10):
            parts = folds != fold, folds == fold
            scores = [nearest_mean_accuracy(own, label, *parts) for own in features]
            differences[fold] = scores[0] - scores[1]
        corrected.append(corrected_resampled_t(differences, 1 / 9).p_value < 0.05)
        plain.append(stats.ttest_1samp(differences, 0).pvalue < 0.05)
    found = 100 * np.mean([corrected, plain], axis=1)
    print(f"\ntype I error over 10 folds: corrected {found[0]:.1f} %, plain t {found[1]:.1f} %")
    assert found[0] < found[1]
    assert found[0] <= 7


def test_roc_bands_cover():
    random = np.random.default_rng(7)
    grid = np.linspace(0, 1, 51)
    # Within the two-normal model TPR = Phi(2 SIGNAL + Phi^-1(FPR)).
    truth = stats.norm.cdf(2 * SIGNAL + stats.norm.ppf(grid))
    rows = []
    for design in DESIGNS:
        for subjects in (30, 60):
            whole, pointwise = [], []
            for _ in range(150):
                table, group = draw_predictions(random, subjects, design)
                band = roc_band(table, group, random, resamples=200, grid=grid)
                inside = (band["band_lower"] <= truth) & (truth <= band["band_upper"])
                whole.append(inside[1:-1].all())
                inside = (band["lower"] <= truth) & (truth <= band["upper"])
                pointwise.append(inside[(grid >= 0.1) & (grid <= 0.5)].mean())
            rows.append((design, subjects, 100 * np.mean(whole), 100 * np.mean(pointwise)))
    columns = ["design", "subjects", "simultaneous %", "pointwise %, FPR 0.1 to 0.5"]
    table = pd.DataFrame(rows, columns=columns)
    show("ROC bands, nominal 95 %, 150 data sets", table)
    assert table["simultaneous %"].min() >= 80
