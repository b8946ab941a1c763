"""Metrics and curves against formulas on counts, rank statistics and scikit-learn's reports."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu
from sklearn import metrics as oracle

from blastfold.core.names import CELLS, METRICS
from blastfold.core.notes import note_codes
from blastfold.core.predictions import write_predictions
from blastfold.evaluation import metrics as evaluation


def predictions(labels, probability, fold=0):
    labels = np.asarray(labels)
    return pd.DataFrame(
        {
            "image_id": [f"i{fold}-{number}" for number in range(len(labels))],
            "repeat": 0,
            "fold": fold,
            "role": "test",
            "label": labels,
            "probability_normal": 1 - np.asarray(probability),
            "probability_blast": probability,
            "probability": probability,
        }
    )


def random_predictions(seed, count=200, fold=0):
    random = np.random.default_rng(seed)
    labels = (random.uniform(size=count) < 0.6).astype(int)
    # Two decimals, so that ties occur.
    scores = np.round(np.clip(0.5 + 0.2 * (labels - 0.5) + random.normal(0, 0.2, count), 0, 1), 2)
    return predictions(labels, scores, fold)


def counts_of(table):
    called = table["probability"] >= 0.5
    truth = table["label"] == 1
    return [
        int(value)
        for value in (
            (~truth & ~called).sum(),
            (~truth & called).sum(),
            (truth & ~called).sum(),
            (truth & called).sum(),
        )
    ]


@pytest.mark.parametrize("seed", range(8))
def test_metrics_equal_their_formulas(seed):
    table = random_predictions(seed)
    tn, fp, fn, tp = counts_of(table)
    positives, negatives = tp + fn, tn + fp
    f1 = 2 * tp / (2 * tp + fp + fn)
    f1_normal = 2 * tn / (2 * tn + fp + fn)
    blast = table.loc[table["label"] == 1, "probability"]
    normal = table.loc[table["label"] == 0, "probability"]
    expected = {
        "accuracy": (tp + tn) / len(table),
        "sensitivity": tp / positives,
        "specificity": tn / negatives,
        # Hanley & McNeil 1982: the AUC is the Mann-Whitney statistic over the pairs.
        "auc": mannwhitneyu(blast, normal).statistic / (positives * negatives),
        "precision": tp / (tp + fp),
        "f1": f1,
        "weighted_f1": (positives * f1 + negatives * f1_normal) / len(table),
        "balanced_accuracy": (tp / positives + tn / negatives) / 2,
        "mcc": (tp * tn - fp * fn) / np.sqrt(float(positives) * negatives * (tp + fp) * (tn + fn)),
    }
    values = evaluation.compute_metrics(table)
    assert tuple(values) == METRICS
    for name, value in expected.items():
        assert values[name] == (pytest.approx(value, abs=1e-12), "")


@pytest.mark.parametrize("seed", range(8))
def test_metrics_equal_scikit_learn(seed):
    table = random_predictions(seed, count=30)
    label, score = table["label"], table["probability"]
    predicted = (score >= 0.5).astype(int)
    expected = {
        "accuracy": oracle.accuracy_score(label, predicted),
        "sensitivity": oracle.recall_score(label, predicted),
        "specificity": oracle.recall_score(label, predicted, pos_label=0),
        "auc": oracle.roc_auc_score(label, score),
        "precision": oracle.precision_score(label, predicted),
        "f1": oracle.f1_score(label, predicted),
        "weighted_f1": oracle.f1_score(label, predicted, average="weighted"),
        "balanced_accuracy": oracle.balanced_accuracy_score(label, predicted),
        "mcc": oracle.matthews_corrcoef(label, predicted),
    }
    values = evaluation.compute_metrics(table)
    assert values == {name: (pytest.approx(value), "") for name, value in expected.items()}


# Labels, predictions, the metrics that are undefined there and why.
UNDEFINED = [
    ([1, 1], [0, 1], {"specificity": "no_negative_image", "auc": "no_negative_image"}),
    ([1, 1], [0, 0], {"precision": "none_predicted_positive", "mcc": "no_negative_image"}),
    (
        [0, 0],
        [0, 1],
        {"sensitivity": "no_positive_image", "balanced_accuracy": "no_positive_image"},
    ),
    ([0, 0], [0, 0], {"f1": "no_positive_image_and_none_predicted"}),
    ([0, 1], [0, 0], {"precision": "none_predicted_positive", "mcc": "one_class_predicted"}),
    ([0, 1], [1, 1], {"mcc": "one_class_predicted"}),
]


@pytest.mark.parametrize(("labels", "predicted", "reasons"), UNDEFINED)
def test_undefined_values_have_a_reason(labels, predicted, reasons):
    values = evaluation.compute_metrics(predictions(labels, np.array(predicted, float)))
    for name, reason in reasons.items():
        assert np.isnan(values[name][0])
        assert note_codes(values[name][1]) == {reason}
    for value, note in values.values():
        assert np.isnan(value) == (note != "")


@pytest.mark.parametrize(
    ("labels", "predicted", "f1", "weighted"),
    [
        # Without positive images a false alarm makes F1 0; without one there is nothing to rate.
        ([0, 0], [0, 1], 0.0, 2 / 3),
        ([0, 0], [0, 0], np.nan, 1.0),
        ([1, 1], [0, 0], 0.0, 0.0),
        ([0, 1], [0, 0], 0.0, 1 / 3),
    ],
)
def test_f1_where_a_class_is_missing(labels, predicted, f1, weighted):
    values = evaluation.compute_metrics(predictions(labels, np.array(predicted, float)))
    assert values["f1"][0] == pytest.approx(f1, nan_ok=True)
    assert values["weighted_f1"] == (pytest.approx(weighted), "")
    expected = oracle.f1_score(labels, predicted, average="weighted", zero_division=0.0)
    assert weighted == pytest.approx(expected)


def test_no_nan_without_a_note_even_with_three_images():
    table = pd.concat([predictions([1, 1, 0], [0.9, 0.2, 0.1], 0), predictions([1], [0.7], 1)])
    metrics = evaluation.metrics_table(table)
    assert (metrics.loc[metrics["value"].isna(), "note"] != "").all()
    assert set(metrics["scope"]) == {"fold-0", "fold-1", "mean", "sd", "pooled"}


def test_mean_and_sd_are_over_folds_and_pooled_is_over_images():
    folds = [random_predictions(seed, 50 + 30 * seed, seed) for seed in range(4)]
    metrics = evaluation.metrics_table(pd.concat(folds))
    table = metrics.pivot_table(index="scope", columns="metric", values="value")
    accuracy = [((fold["probability"] >= 0.5) == fold["label"]).mean() for fold in folds]
    assert table.loc["mean", "accuracy"] == pytest.approx(np.mean(accuracy))
    assert table.loc["sd", "accuracy"] == pytest.approx(np.std(accuracy, ddof=1))
    pooled = pd.concat(folds)
    assert table.loc["pooled", "accuracy"] == pytest.approx(
        ((pooled["probability"] >= 0.5) == pooled["label"]).mean()
    )
    assert table.loc["pooled", "accuracy"] != pytest.approx(table.loc["mean", "accuracy"])


def test_one_fold_has_no_sd():
    metrics = evaluation.metrics_table(random_predictions(0))
    sd = metrics[metrics["scope"] == "sd"]
    assert sd["value"].isna().all()
    assert (sd["note"] == "one_fold").all()


def test_confusion_counts():
    folds = [random_predictions(seed, 40, seed) for seed in range(3)]
    table = evaluation.confusion_table(pd.concat(folds)).set_index("scope")
    for number, fold in enumerate(folds):
        assert table.loc[f"fold-{number}", list(CELLS)].tolist() == counts_of(fold)
        assert table.loc[f"fold-{number}", "positive_share"] == fold["label"].mean()
    counts = table[list(CELLS)]
    assert counts.loc["pooled"].tolist() == counts.iloc[:3].sum().tolist()
    assert set(table["negative_class"]) == {"normal"}
    assert set(table["positive_class"]) == {"blast"}


def test_areas_under_the_curves():
    table = random_predictions(3)
    roc = evaluation.curves_by_scope(table, evaluation.roc_curve).query("scope == 'pooled'")
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    values = evaluation.compute_metrics(table)
    assert area == pytest.approx(values["auc"][0], abs=1e-12)
    curve = evaluation.curves_by_scope(table, evaluation.precision_recall_curve)
    curve = curve.query("scope == 'pooled'")
    steps = -np.diff(curve["recall"]) @ curve["precision"].to_numpy()[:-1]
    assert curve["average_precision"].tolist() == [pytest.approx(steps)] * len(curve)


def test_curves_of_one_class_have_no_rows():
    table = evaluation.curves_by_scope(predictions([1, 1], [0.2, 0.7]), evaluation.roc_curve)
    assert list(table.columns) == [
        "scope",
        "false_positive_rate",
        "true_positive_rate",
        "threshold",
    ]
    assert table.empty


def test_report_equals_scikit_learn():
    table = random_predictions(5)
    called = (table["probability"] >= 0.5).astype(int)
    expected = oracle.classification_report(
        table["label"], called, target_names=["normal", "blast"], output_dict=True
    )
    report = evaluation.report_table(table).query("scope == 'pooled'").set_index("class")
    for name in ("normal", "blast"):
        row = report.loc[name]
        values = [row["precision"], row["recall"], row["f1"], row["support"]]
        assert values == pytest.approx(list(expected[name].values()))


def test_report_of_a_class_without_images_has_a_note():
    report = evaluation.report_table(predictions([1, 1], [0.2, 0.1])).query("scope == 'pooled'")
    normal, blast = report.to_dict("records")
    assert (normal["support"], normal["precision"], normal["note"]) == (0, 0.0, "undefined")
    assert np.isnan(normal["recall"])
    assert (blast["support"], blast["recall"], blast["f1"]) == (2, 0.0, 0.0)
    assert np.isnan(blast["precision"])


def test_evaluate_model_writes_every_table(tmp_path):
    paths = []
    for fold in range(2):
        path = tmp_path / f"{fold}.tsv"
        validation = random_predictions(9, fold=fold).assign(role="validation")
        validation["image_id"] += " of validation"
        write_predictions(pd.concat([validation, random_predictions(fold, fold=fold)]), path)
        paths.append(path)
    names = ("metrics", "confusion", "roc", "precision_recall", "report")
    evaluation.evaluate_model(paths, {name: tmp_path / f"{name}.tsv" for name in names})
    confusion = pd.read_csv(tmp_path / "confusion.tsv", sep="\t").set_index("scope")
    assert confusion.loc["pooled", list(CELLS)].sum() == 400
    metrics = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")
    assert len(metrics) == 5 * len(METRICS)


def test_roc_of_repeats_is_their_mean_over_the_false_positive_rate():
    random = np.random.default_rng(3)
    label = np.arange(60) % 2
    # Scores of the second repeat are on another scale: taken together they would rank badly.
    scores = [random.normal(label, 1), 100 + random.normal(label, 1)]
    repeats = [
        pd.DataFrame({"label": label, "probability": score, "repeat": number})
        for number, score in enumerate(scores)
    ]
    curve = evaluation.roc_curve(pd.concat(repeats))
    corners = curve[["false_positive_rate", "true_positive_rate"]].to_numpy()
    assert corners[0].tolist() == [0, 0]
    assert corners[-1].tolist() == [1, 1]
    assert (np.diff(corners, axis=0) >= 0).all()
    areas = [oracle.roc_auc_score(label, score) for score in scores]
    assert np.trapezoid(corners[:, 1], corners[:, 0]) == pytest.approx(np.mean(areas), abs=0.02)
    alone = evaluation.roc_curve(repeats[0])
    middle = [np.interp(0.5, *evaluation.roc_curve(one).to_numpy()[:, :2].T) for one in repeats]
    assert np.interp(0.5, *corners.T) == pytest.approx(np.mean(middle))
    assert np.isfinite(alone["threshold"].iloc[1:]).all()


def test_precision_recall_of_repeats_is_their_mean_over_the_recall():
    random = np.random.default_rng(4)
    label = np.arange(61) % 2
    # The second repeat has ties, and other scores: taken together the two would rank badly.
    scores = [random.normal(label, 1), 100 + np.round(random.normal(label, 1))]
    repeats = [
        pd.DataFrame({"label": label, "probability": score, "repeat": number})
        for number, score in enumerate(scores)
    ]
    curve = evaluation.precision_recall_curve(pd.concat(repeats))
    mean = np.mean([oracle.average_precision_score(label, score) for score in scores])
    assert curve["average_precision"].unique() == pytest.approx([mean])
    # The area under steps to the higher recall is the average precision by its definition.
    recall, precision = curve["recall"].to_numpy(), curve["precision"].to_numpy()
    assert recall[0] == 1
    assert (recall[-1], precision[-1]) == (0, 1)
    assert -np.sum(np.diff(recall) * precision[:-1]) == pytest.approx(mean)
    same = evaluation.precision_recall_curve(pd.concat([repeats[1], repeats[1].assign(repeat=0)]))
    alone = evaluation.precision_recall_curve(repeats[1])
    assert same["average_precision"][0] == pytest.approx(alone["average_precision"][0])
