"""Coverage of intervals over subjects for more than two classes, and false verdicts on macro AUC.

Classifiers are given, not trained: scores are those of the class, the subject and the cell. In one
design every subject has cells of one class, in the other of all classes. Print with ``pytest -s``.
"""

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from statsmodels.stats.proportion import proportion_confint

from blastfold.evaluation.verdicts import compare_trained
from blastfold.statistics.class_grouped import group_classes
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.metrics import metric_values

CLASSES, CELLS = 4, 12
METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "kappa", "mcc", "macro_auc")
GAIN, LIKENESS = 1.5, 0.7
RUNS = 1000


def draw(random, subjects, mixed, models=1, shared=0.0):
    """Return predictions of each model with the columns of readers, and ``group``."""
    subject = np.repeat(np.arange(subjects), CELLS)
    label = random.integers(CLASSES, size=len(subject)) if mixed else subject % CLASSES
    common = random.normal(size=(subjects, CLASSES))
    tables = []
    for _ in range(models):
        own = random.normal(size=(subjects, CLASSES))
        effect = LIKENESS * (np.sqrt(shared) * common + np.sqrt(1 - shared) * own)
        scores = effect[subject] + random.normal(size=(len(subject), CLASSES))
        scores[np.arange(len(subject)), label] += GAIN
        columns = {
            f"probability_k{place}": column for place, column in enumerate(softmax(scores, 1).T)
        }
        table = pd.DataFrame({"image_id": np.arange(len(subject)).astype(str), "repeat": 0})
        table = table.assign(fold=subject // CLASSES % 4, class_label=label, group=subject)
        table = table.assign(label=(label == CLASSES - 1) * 1, **columns)
        tables.append(table.assign(probability=columns[f"probability_k{CLASSES - 1}"]))
    return tables


def shown(hits, runs):
    lower, upper = proportion_confint(hits, runs, method="wilson")
    return f"{100 * hits / runs:.1f} [{100 * lower:.1f}, {100 * upper:.1f}]"


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("subjects", [12, 20, 40])
def test_intervals_cover_as_often_as_they_say(subjects, mixed):
    truth = metric_values_of(draw(np.random.default_rng(1), 8000, mixed)[0])
    random, hits = np.random.default_rng(subjects + mixed), dict.fromkeys(METRICS, 0)
    for _ in range(RUNS):
        table = draw(random, subjects, mixed)[0]
        grouped = group_classes(table, table["group"])
        for metric in METRICS:
            lower, upper, _ = confidence_limits(metric, grouped, "jackknife-t")
            hits[metric] += lower <= truth[metric] <= upper
    design = "all classes in each subject" if mixed else "one class per subject"
    print(f"\n{subjects} subjects, {design}:")
    for metric, number in hits.items():
        print(f"  {metric} {shown(number, RUNS)}")
        assert number / RUNS > 0.92


@pytest.mark.parametrize("subjects", [24, 48])
def test_equal_procedures_are_rarely_declared_different(subjects):
    random, false = np.random.default_rng(subjects), 0
    for _ in range(RUNS):
        first, second = draw(random, subjects, mixed=False, models=2, shared=0.5)
        groups = first.set_index("image_id")["group"]
        row = compare_trained("macro_auc", first, second, groups, 1)
        false += row["outcome"] in ("first_higher", "second_higher")
    print(f"\n{subjects} subjects, one repeat of four folds: {shown(false, RUNS)} false verdicts")
    assert false / RUNS < 0.06


def metric_values_of(table):
    totals = group_classes(table, np.zeros(len(table))).totals()
    return {metric: float(metric_values(metric, totals)) for metric in METRICS}
