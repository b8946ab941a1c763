"""Metrics and curves against formulas on counts, rank statistics and scikit-learn's reports."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu
from sklearn.metrics import average_precision_score, classification_report

from blastfold.core.errors import InputError
from blastfold.evaluation import metrics as evaluation


def predictions(labels, probability, fold=0):
    labels = np.asarray(labels)
    return pd.DataFrame(
        {
            "image_id": [f"i{fold}-{number}" for number in range(len(labels))],
            "fold": fold,
            "role": "test",
            "label": labels,
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
    values = evaluation.compute_metrics(table["label"].to_numpy(), table["probability"].to_numpy())
    assert tuple(values) == evaluation.METRICS
    for name, value in expected.items():
        assert values[name] == (pytest.approx(value, abs=1e-12), "")


def test_undefined_values_carry_a_note():
    one_class = evaluation.compute_metrics(np.ones(4, int), np.array([0.1, 0.9, 0.8, 0.7]))
    for name in ("specificity", "auc", "balanced_accuracy", "mcc"):
        assert np.isnan(one_class[name][0])
        assert one_class[name][1] in (evaluation.ONE_CLASS, evaluation.CONSTANT)
    assert one_class["sensitivity"] == (0.75, "")
    none_called = evaluation.compute_metrics(np.array([0, 1, 1]), np.zeros(3))
    assert np.isnan(none_called["precision"][0])
    assert none_called["precision"][1] == evaluation.NONE_CALLED
    assert none_called["sensitivity"] == (0.0, "")


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
    assert (sd["note"] == evaluation.ONE_FOLD).all()


def test_confusion_counts():
    folds = [random_predictions(seed, 40, seed) for seed in range(3)]
    table = evaluation.confusion_table(pd.concat(folds)).set_index("scope")
    for number, fold in enumerate(folds):
        assert table.loc[f"fold-{number}"].tolist() == counts_of(fold)
    assert table.loc["pooled"].tolist() == table.iloc[:3].sum().tolist()


def test_areas_under_the_curves():
    table = random_predictions(3)
    roc = evaluation.curve_table(table, evaluation.roc_curve).query("scope == 'pooled'")
    area = np.trapezoid(roc["true_positive_rate"], roc["false_positive_rate"])
    values = evaluation.compute_metrics(table["label"].to_numpy(), table["probability"].to_numpy())
    assert area == pytest.approx(values["auc"][0], abs=1e-12)
    curve = evaluation.curve_table(table, evaluation.precision_recall_curve)
    curve = curve.query("scope == 'pooled'")
    steps = -np.diff(curve["recall"]) @ curve["precision"].to_numpy()[:-1]
    assert steps == pytest.approx(average_precision_score(table["label"], table["probability"]))


def test_curves_of_one_class_have_no_rows():
    table = evaluation.curve_table(predictions([1, 1], [0.2, 0.7]), evaluation.roc_curve)
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
    expected = classification_report(
        table["label"], called, target_names=["normal", "blast"], output_dict=True
    )
    report = evaluation.report_table(table).query("scope == 'pooled'").set_index("class")
    for name in ("normal", "blast"):
        row = report.loc[name]
        values = [row["precision"], row["recall"], row["f1"], row["support"]]
        assert values == pytest.approx(list(expected[name].values()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": 1.2}, "column probability holds 1.2 for image i0-0"),
        ({"probability": np.nan}, "column probability holds nan"),
        ({"label": 2}, "column label must hold 0"),
        ({"role": "validation"}, "no row has role 'test'"),
    ],
)
def test_bad_predictions_are_named(tmp_path, change, message):
    table = predictions([0, 1], [0.1, 0.9]).assign(**change)
    table.to_csv(tmp_path / "predictions.tsv", sep="\t", index=False)
    with pytest.raises(InputError, match=message):
        evaluation.read_test_predictions([tmp_path / "predictions.tsv"])


def test_missing_column_is_named(tmp_path):
    path = tmp_path / "predictions.tsv"
    predictions([0, 1], [0.1, 0.9]).drop(columns="fold").to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match=r"columns \['fold'\] are missing"):
        evaluation.read_test_predictions([path])


def test_image_tested_twice_in_a_fold_is_an_error(tmp_path):
    path = tmp_path / "predictions.tsv"
    table = predictions([0, 1], [0.1, 0.9])
    pd.concat([table, table]).to_csv(path, sep="\t", index=False)
    with pytest.raises(InputError, match="is tested twice"):
        evaluation.read_test_predictions([path])


def test_evaluate_model_writes_every_table(tmp_path):
    paths = []
    for fold in range(2):
        path = tmp_path / f"{fold}.tsv"
        validation = random_predictions(9, fold=fold).assign(role="validation", probability=0.5)
        table = pd.concat([validation, random_predictions(fold, fold=fold)])
        table.to_csv(path, sep="\t", index=False)
        paths.append(path)
    names = ("metrics", "confusion", "roc", "precision_recall", "report")
    evaluation.evaluate_model(paths, {name: tmp_path / f"{name}.tsv" for name in names})
    confusion = pd.read_csv(tmp_path / "confusion.tsv", sep="\t").set_index("scope")
    assert confusion.loc["pooled"].sum() == 400
    metrics = pd.read_csv(tmp_path / "metrics.tsv", sep="\t")
    assert len(metrics) == 5 * len(evaluation.METRICS)
