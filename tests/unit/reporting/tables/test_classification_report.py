"""The classification report against scikit-learn's, which the thesis printed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import classification_report as reference

from blastfold.evaluation.metrics import report_table
from blastfold.reporting.tables.classification_report import classification_report, tabulate_report


def predictions_of(labels, probability, folds):
    classes = {"probability_normal": 1 - probability, "probability_blast": probability}
    names = [f"image {number}" for number in range(len(labels))]
    columns = {"image_id": names, "repeat": 0, "fold": folds, "role": "test", "label": labels}
    return pd.DataFrame({**columns, "probability": probability, **classes})


@pytest.mark.parametrize("folds", [1, 3])
def test_classes_and_averages_are_those_of_scikit_learn(folds):
    random = np.random.default_rng(folds)
    labels = np.arange(90) % 3 // 2
    probability = np.clip(0.4 * labels + random.uniform(0, 0.7, 90), 0, 1)
    tested = predictions_of(labels, probability, np.arange(90) % folds)
    table = classification_report(report_table(tested))
    names = ["normal", "blast"]
    options = {"target_names": names, "output_dict": True}
    expected = reference(labels, (probability >= 0.5).astype(int), **options)
    assert table["class"].tolist() == [*names, "macro average", "weighted average"]
    keys = [*names, "macro avg", "weighted avg"]
    for row, key in zip(table.itertuples(), keys, strict=True):
        values = expected[key]
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (values["precision"], values["recall"], values["f1-score"])
        )
        assert row.support == values["support"]


def test_an_undefined_value_has_its_reason_in_every_average(tmp_path):
    labels = np.array([1, 1, 0, 0])
    probability = np.array([0.1, 0.2, 0.3, 0.4])
    report = report_table(predictions_of(labels, probability, 0))
    report.to_csv(tmp_path / "r.tsv", sep="\t", index=False)
    paths = [tmp_path / "t.tsv", tmp_path / "t.md"]
    tabulate_report(tmp_path / "r.tsv", "a, b & c", "tab:x", paths)
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t").set_index("class")
    # No image is predicted as a blast, so that the precision of blasts is undefined.
    undefined = table["precision"].isna()
    assert undefined[undefined].index.tolist() == ["blast", "macro average", "weighted average"]
    assert (table.loc[undefined, "note"] == "undefined").all()
    assert table.loc["normal", "note"] != "undefined"
    assert "n/a" in (tmp_path / "t.md").read_text("utf-8")
