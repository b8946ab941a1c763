"""Tables of more than two classes: one row per class, one row per run."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_fscore_support
from support.class_results import KAGGLE, KINDS, class_predictions, mark, write_class_tables

from blastfold.core.errors import InputError
from blastfold.core.predictions import write_predictions
from blastfold.core.tables import read_table, write_table
from blastfold.reporting.class_tables import (
    Confusion,
    most_confused,
    pooled_confusion,
    read_class_metrics,
)
from blastfold.reporting.tables.class_subjects import tabulate_class_subjects
from blastfold.reporting.tables.classes import (
    class_table,
    tabulate_class_results,
    tabulate_classes,
)


@pytest.fixture
def run(tmp_path):
    predictions = mark(class_predictions(KAGGLE, 120), KAGGLE, KAGGLE[1:])
    write_class_tables(tmp_path, predictions, KAGGLE)
    write_predictions(predictions, tmp_path / "predictions.tsv")
    return tmp_path


def test_a_class_has_its_row_with_images_intervals_and_whether_it_is_positive(run):
    paths = [run / f"classes.{ending}" for ending in ("tsv", "md", "tex", "html")]
    stored = (run / f"{name}.tsv" for name in ("class_metrics", "class_confusion", "predictions"))
    tabulate_classes(*stored, "Cells, by subject, net", "tab:classes", paths)
    table = read_table(paths[0])
    predictions = class_predictions(KAGGLE, 120)
    called = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy().argmax(axis=1)
    precision, recall, f1, support = precision_recall_fscore_support(
        predictions["label"], called, labels=range(4)
    )
    assert list(table["class"]) == list(KAGGLE)
    assert list(table["positive"]) == ["no", "yes", "yes", "yes"]
    assert list(table["images"]) == list(support)
    assert list(table["predicted"]) == list(np.bincount(called, minlength=4))
    for name, expected in (("sensitivity", recall), ("precision", precision), ("f1", f1)):
        assert table[name].to_numpy() == pytest.approx(expected)
    printed = paths[1].read_text("utf-8")
    assert r"\[Malignant\] Early Pre-B" in printed
    assert r"90.00 \[85.00, 95.00\]" in printed


def test_a_class_without_images_has_a_note():
    classes = ("a", "b", "c")
    predictions = class_predictions(classes, 40)
    predictions = predictions.assign(label=predictions["label"].clip(upper=1))
    rows = [("pooled", "sensitivity", name, np.nan, np.nan, np.nan, "", "") for name in classes]
    metrics = pd.DataFrame(
        rows, columns=["scope", "metric", "class", "value", "lower", "upper", "method", "note"]
    )
    counts = np.array([[3, 1, 0], [2, 4, 0], [0, 0, 0]])
    table = class_table(metrics, Confusion(classes, counts, 1))
    assert table["note"].str.startswith("undefined@sensitivity").all()
    assert table.loc[2, "images"] == 0


def test_results_have_a_row_per_run_and_only_metrics_that_exist(tmp_path):
    runs = []
    for place, (classes, ordered) in enumerate([(KAGGLE, False), (KAGGLE, False)]):
        write_class_tables(tmp_path / str(place), class_predictions(classes, 60), classes, ordered)
        names = {"protocol": "p", "protocol_title": "By subject", "model": f"m{place}"}
        runs.append({**names, "model_title": f"Net {place}", "group_by": "subject"})
    paths = [tmp_path / f"results.{ending}" for ending in ("tsv", "md")]
    stored = [tmp_path / str(place) / "class_metrics.tsv" for place in range(2)]
    tabulate_class_results(stored, runs, "Cells", "tab:results", paths)
    table = read_table(paths[0])
    assert list(table["model"]) == ["m0", "m1"]
    assert table["macro_auc"].tolist() == [0.78, 0.78]
    assert "weighted_f1" in table
    assert not {"quadratic_kappa", "top2_accuracy"} & set(table)
    printed = paths[1].read_text("utf-8")
    assert "Macro AUC (%)" in printed
    assert "Cohen's kappa" in printed
    assert "Quadratic" not in printed
    write_class_tables(tmp_path / "six", class_predictions(KINDS, 60), KINDS, ordered=True)
    tabulate_class_results([tmp_path / "six" / "class_metrics.tsv"], runs[:1], "C", "t", paths)
    assert "Quadratic kappa" in paths[1].read_text("utf-8")
    assert "Top-2 accuracy (%)" in paths[1].read_text("utf-8")


def test_the_confusion_is_pooled_and_its_pairs_are_ordered(run):
    predictions = class_predictions(KAGGLE, 120)
    called = predictions[[f"probability_{name}" for name in KAGGLE]].to_numpy().argmax(axis=1)
    confusion = pooled_confusion(run / "class_confusion.tsv")
    expected = pd.crosstab(predictions["label"], called).to_numpy()
    assert confusion.counts.tolist() == expected.tolist()
    assert confusion.folds == 2
    pairs = most_confused(confusion)
    assert [number for *_, number in pairs] == sorted((n for *_, n in pairs), reverse=True)
    first, second, number = pairs[0]
    assert number == expected[first, second] + expected[second, first]


def test_a_missing_pair_of_classes_is_an_error(run):
    path = run / "class_confusion.tsv"
    table = read_table(path)
    write_table(table.iloc[1:], path)
    with pytest.raises(InputError, match="lacks pairs of the classes"):
        pooled_confusion(path)
    assert len(read_class_metrics(run / "class_metrics.tsv"))


def test_subjects_are_counted_once_by_either_call(tmp_path):
    columns = ["level", "call", "metric", "value", "lower", "upper", "method", "units", "groups"]
    rows = [
        ["subject", "majority", "accuracy", 0.75, 0.2, 0.99, "clopper-pearson", 4, 4, ""],
        ["subject", "majority", "balanced_accuracy", np.nan, np.nan, np.nan, "", 4, 4, "no_images"],
        ["subject", "mean_probability", "accuracy", 1.0, 0.4, 1.0, "clopper-pearson", 4, 4, ""],
        [
            "subject",
            "mean_probability",
            "balanced_accuracy",
            1.0,
            0.4,
            1.0,
            "jackknife-t",
            4,
            4,
            "",
        ],
        ["subject", "mean_probability", "macro_auc", 1.0, 0.4, 1.0, "jackknife-t", 4, 4, ""],
        ["subject", "shares", "share_error", 0.125, 0.0625, 0.25, "jackknife-t", 6, 6, ""],
    ]
    write_table(pd.DataFrame(rows, columns=[*columns, "note"]), tmp_path / "stored.tsv")
    paths = [tmp_path / "table.tsv", tmp_path / "table.md"]
    tabulate_class_subjects(tmp_path / "stored.tsv", "Cells", "tab:subjects", paths)
    assert read_table(paths[0])["accuracy"].tolist() == [0.75, 1.0]
    printed = paths[1].read_text("utf-8")
    assert r"75.00 \[20.00, 99.00\] | n/a<sup>a</sup> |" in printed
    assert "Balanced accuracy: undefined: no images" in printed
    assert r"12.50 \[6.25, 25.00\] |" in printed
