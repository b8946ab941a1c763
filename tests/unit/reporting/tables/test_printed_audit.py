"""The audit of printed results: the thesis' impossible rows, and hostile input."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score
from support.repository import RESOURCES

from blastfold.core.errors import InputError
from blastfold.reporting.tables import printed_audit
from blastfold.statistics.metrics import TOTALS


def audit_thesis(folder, published=RESOURCES / "published_results.tsv"):
    paths = [folder / f"t.{ending}" for ending in ("tsv", "tex", "md")]
    printed_audit.tabulate_printed_audit(
        published, RESOURCES / "split_sizes.tsv", folder / "matrices.tsv", paths
    )
    table = pd.read_csv(paths[0], sep="\t", dtype=str, keep_default_na=False)
    return table, pd.read_csv(folder / "matrices.tsv", sep="\t"), paths[2].read_text()


def test_the_five_impossible_results_of_the_thesis_are_found(tmp_path):
    table, matrices, shown = audit_thesis(tmp_path)
    impossible = table[table["verdict"] == "impossible"]
    figures = ["dataset", "model", "accuracy", "sensitivity", "specificity"]
    assert sorted(impossible[figures].drop_duplicates().to_numpy().tolist()) == [
        ["ALL_IDB", "vgg19", "99.49", "100", "99.51"],
        ["C-NMC", "densenet169", "85.41", "83.70", "91.57"],
        ["C-NMC", "simple_cnn", "80.77", "84.53", "69.34"],
        ["C-NMC", "vgg19", "85.32", "83.84", "80.98"],
        ["C-NMC", "vgg19", "85.32", "85.18", "80.98"],
    ]
    assert (impossible["note"] != "").all()
    assert "5 are impossible" in shown
    assert not set(impossible["printed_in"] + impossible["model"]) & set(
        matrices["printed_in"] + matrices["model"]
    )


def test_every_printed_row_has_its_verdict_and_its_matrices(tmp_path):
    table, matrices, _ = audit_thesis(tmp_path)
    published = pd.read_csv(RESOURCES / "published_results.tsv", sep="\t", dtype=str)
    assert table["printed_in"].tolist() == published["source"].tolist()
    rows = table.set_index(["printed_in", "model", "accuracy"])
    possible = rows.loc[("Table 5.2", "densenet169", "99.76")]
    assert (possible["verdict"], possible["possible_matrices"]) == ("possible", "8")
    assert possible["note"] == "for instance: 209 of 210 blasts and 207 of 207 normals correct"
    other = rows.loc[("Table 5.3", "simple_cnn", "80.77")]
    assert other["verdict_title"] == "implies a different class ratio"
    assert other["note"].startswith("implies 1533 blasts of 2133 images, expected 1455")
    counted = matrices.groupby(["printed_in", "model"]).size()
    assert counted.to_dict() == {
        ("Table 5.2", "densenet169"): 8,
        ("Table 5.4", "densenet169"): 8,
        ("Table 5.2", "simple_cnn"): 1,
        ("Table 5.6", "simple_cnn"): 1,
        ("Table 5.3", "simple_cnn"): 1,
    }


def test_listed_matrices_print_the_figures_of_their_row(tmp_path):
    table, matrices, _ = audit_thesis(tmp_path)
    for cells in matrices.to_dict("records"):
        printed = (table["printed_in"] == cells["printed_in"]) & (table["model"] == cells["model"])
        (row,) = table[printed & (table["dataset"] == cells["dataset"])].to_dict("records")
        # The matrix as labels and calls, for scikit-learn to count.
        counts = [cells[name] for name in TOTALS[:4]]
        labels, called = np.repeat([0, 0, 1, 1], counts), np.repeat([0, 1, 0, 1], counts)
        assert len(labels) == int(row["images"])
        assert labels.sum() == cells["positives"]
        for name, value in (
            ("accuracy", accuracy_score(labels, called)),
            ("sensitivity", recall_score(labels, called)),
            ("specificity", recall_score(labels, called, pos_label=0)),
        ):
            assert 100 * value == pytest.approx(float(row[name]), abs=0.0101)


def test_a_row_with_accuracy_alone_is_counted_and_not_listed(tmp_path):
    table, _, _ = audit_thesis(tmp_path)
    row = table[table["sensitivity"] == ""].iloc[0]
    assert (row["verdict"], row["accuracy"]) == ("possible", "86.87")
    # 1853 of 2133 right is the only count; every pair of blasts and their hits is a matrix.
    correct = 1853
    expected = sum(
        min(positives, correct) - max(0, correct - (2133 - positives)) + 1
        for positives in range(1, 2133)
    )
    assert int(row["possible_matrices"]) == expected
    assert "Sensitivity, Specificity: not printed" in row["note"]
    assert "too many matrices to list" in row["note"]


def test_rows_without_accuracy_are_named_and_wrong_ones_refused(tmp_path):
    header = "source\tdataset\tmodel\taccuracy\tsensitivity\tspecificity\tauc\tnote\n"
    path = tmp_path / "published.tsv"
    good = "Table 1\tALL_IDB\tvgg19\t100\t100\t100\t\t\n"
    path.write_text(header + good + "Text 2\tALL_IDB\tvgg19\t\t\t\t99\t\n")
    table, _, shown = audit_thesis(tmp_path, path)
    assert table["printed_in"].tolist() == ["Table 1"]
    assert "no accuracy is printed: Text 2." in shown
    for row, message in (
        ("Table 3\tMoon\tvgg19\t90\t90\t90\t\t\n", "Table 3, vgg19: data set 'Moon'"),
        ("Table 4\tALL_IDB\tvgg19\tninety\t90\t90\t\t\n", "Table 4, vgg19: accuracy: got 'ninety'"),
        ("Table 5\tALL_IDB\tvgg19\t101\t90\t90\t\t\n", "Table 5, vgg19: accuracy: got 101"),
    ):
        path.write_text(header + good + row)
        with pytest.raises(InputError, match=message):
            audit_thesis(tmp_path, path)


def test_expected_blasts_are_those_of_a_stratified_split_of_the_thesis_data():
    sizes = pd.read_csv(RESOURCES / "split_sizes.tsv", sep="\t").set_index("dataset")
    for name, blasts in (("ALL_IDB", 1049), ("C-NMC", 7272)):
        size = sizes.loc[name]
        assert size["test_images"] == -(-size["images"] // 5)
        expected = blasts * size["test_images"] / size["images"]
        assert size["expected_positives"] == round(expected)
