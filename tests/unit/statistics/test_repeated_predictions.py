"""Metrics over several repeats, against scikit-learn on each repeat."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score, roc_auc_score

from blastfold.core.names import METRICS
from blastfold.evaluation.intervals import interval_table
from blastfold.evaluation.metrics import confusion_table, metrics_table
from blastfold.statistics.comparison import compare, model_pair
from blastfold.statistics.grouped import group_predictions
from blastfold.statistics.intervals import interval
from blastfold.statistics.jackknife import bounded_interval, contributions, spread
from blastfold.statistics.metrics import metric_values
from blastfold.statistics.pairing import pair_predictions
from blastfold.statistics.roc import sensitivity_at_specificity

SUBJECTS, CELLS, REPEATS = 12, 9, 4


def repeated(seed=0, repeats=REPEATS, shift=0.0):
    """Three folds by subject, drawn again in every repeat; scores of other scale in every one."""
    random = np.random.default_rng(seed)
    subject = np.repeat(np.arange(SUBJECTS), CELLS)
    label = (subject % 3 > 0).astype(int)
    effect = random.normal(0, 0.7, SUBJECTS)[subject] + label
    tables = []
    for repeat in range(repeats):
        # Folds of both classes: those of a third of the subjects are normal.
        of_subject = np.empty(SUBJECTS, dtype=int)
        for members in (np.arange(0, SUBJECTS, 3), np.flatnonzero(np.arange(SUBJECTS) % 3)):
            of_subject[random.permutation(members)] = np.arange(len(members)) % 3
        fold = of_subject[subject]
        # Pooled over repeats these scores would be out of order; within a repeat they are not.
        score = effect + random.normal(0, 1, len(subject)) + 3 * (repeat - 1.5) + shift * label
        rows = {"repeat": repeat, "fold": 3 * repeat + fold, "label": label}
        tables.append(pd.DataFrame(rows | {"probability": 1 / (1 + np.exp(-score))}))
        tables[-1]["image_id"] = [f"image_{i}" for i in range(len(subject))]
    table = pd.concat(tables, ignore_index=True)
    blast = table["probability"]
    return table.assign(role="test", probability_normal=1 - blast, probability_blast=blast)


def groups():
    names = [f"image_{i}" for i in range(SUBJECTS * CELLS)]
    return pd.Series(np.repeat([f"s{i}" for i in range(SUBJECTS)], CELLS), index=names)


def mean_of_repeats(score, table):
    return np.mean(
        [score(part["label"], part["probability"]) for _, part in table.groupby("repeat")]
    )


def at_half(score, **options):
    return lambda label, probability: score(label, probability >= 0.5, **options)


SCORES = {
    "auc": roc_auc_score,
    "accuracy": at_half(accuracy_score),
    "sensitivity": at_half(recall_score),
    "specificity": at_half(recall_score, pos_label=0),
}


@pytest.mark.parametrize("metric", SCORES)
def test_a_metric_is_the_mean_of_the_repeats_and_leaves_groups_out_of_all(metric):
    table, group = repeated(), groups()
    member = group[table["image_id"]].to_numpy()
    grouped = group_predictions(table, member)
    value = metric_values(metric, grouped.totals())
    assert value == pytest.approx(mean_of_repeats(SCORES[metric], table), abs=1e-12)
    without = metric_values(metric, grouped.totals_without_one())
    expected = [
        mean_of_repeats(SCORES[metric], table[member != name]) for name in pd.unique(member)
    ]
    np.testing.assert_allclose(without, expected, atol=1e-12)
    # The interval is the jackknife of these values.
    found = interval(metric, table, member)
    changes = np.array(expected) - value
    parts = contributions(
        metric, group_predictions(table[table["repeat"] == 0], member[:108]).counts
    )
    limits = bounded_interval(metric, float(value), spread(changes, parts), 0.95)[:2]
    assert (found.lower, found.upper) == pytest.approx(limits)
    assert (found.images, found.groups) == (SUBJECTS * CELLS, SUBJECTS)


def test_equal_repeats_have_the_result_of_one():
    one = repeated(repeats=1)
    table = pd.concat([one.assign(repeat=r, fold=one["fold"] + 3 * r) for r in range(3)])
    for metric in METRICS:
        member = groups()[table["image_id"]].to_numpy()
        found, expected = interval(metric, table, member), interval(metric, one, member[:108])
        assert vars(found) == pytest.approx(vars(expected), nan_ok=True)


def test_a_repeat_without_a_class_does_not_count_for_the_auc():
    table = repeated()
    lacking = table[(table["repeat"] > 0) | (table["label"] == 1)]
    found = metric_values("auc", group_predictions(lacking).totals())
    assert found == pytest.approx(mean_of_repeats(roc_auc_score, table[table["repeat"] > 0]))
    only = table[table["label"] == (table["repeat"] > 0)]
    assert np.isnan(metric_values("auc", group_predictions(only).totals()))


def test_tables_of_metrics_have_folds_repeats_and_their_mean():
    table = repeated()
    found = metrics_table(table).pivot(index="scope", columns="metric", values="value")
    assert len(found) == 12 + 4 + 3
    of_repeats = found.loc[[f"repeat-{r}" for r in range(4)]]
    for metric, score in SCORES.items():
        expected = [
            score(part["label"], part["probability"]) for _, part in table.groupby("repeat")
        ]
        np.testing.assert_allclose(of_repeats[metric], expected, atol=1e-12)
        assert found.at["pooled", metric] == pytest.approx(np.mean(expected))
        by_fold = [score(part["label"], part["probability"]) for _, part in table.groupby("fold")]
        assert found.at["mean", metric] == pytest.approx(np.mean(by_fold))
    counted = confusion_table(table).set_index("scope").loc["pooled"]
    cells = ["true_negative", "false_positive", "false_negative", "true_positive"]
    assert counted[cells].sum() == len(table)
    assert counted["true_positive"] == (table["label"] * (table["probability"] >= 0.5)).sum()
    assert not any(
        scope.startswith("repeat") for scope in metrics_table(repeated(repeats=1))["scope"]
    )


def test_intervals_and_comparisons_of_repeats_quote_methods_over_groups():
    table = repeated()
    limits = interval_table(table, groups(), 0.5, np.random.default_rng(0))
    quoted = limits[limits["recommended"] & (limits["view"] == "pooled")].set_index("metric")
    assert set(quoted["method"]) == {"crossed-t"}
    assert (quoted["images"] == 108).all()
    assert set(limits["method"]).isdisjoint({"wilson", "delong", "clustered-delong"})
    by_fold = limits[limits["view"] == "folds"].set_index("metric")
    assert by_fold.at["auc", "note"] == "mean_of_folds:12"
    other = repeated(seed=0, shift=0.8)
    pair = model_pair(pair_predictions(other, table), groups())
    found = compare("auc", pair)
    expected = mean_of_repeats(roc_auc_score, other) - mean_of_repeats(roc_auc_score, table)
    assert found.difference == pytest.approx(expected)
    assert found.images == 108


def test_the_curve_of_repeats_is_their_mean():
    table = repeated()
    member = groups()[table["image_id"]].to_numpy()
    found = sensitivity_at_specificity(table, 0.9, member)
    each = [
        sensitivity_at_specificity(part, 0.9, None).value for _, part in table.groupby("repeat")
    ]
    assert found.value == pytest.approx(np.mean(each))
