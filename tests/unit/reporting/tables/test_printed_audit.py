"""Audit of result tables: the thesis' impossible rows, and our own tables true and falsified."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score
from support.repository import RESOURCES

from blastfold.core.errors import InputError
from blastfold.evaluation import metrics
from blastfold.reporting.tables import printed_audit
from blastfold.reporting.tables import results as result_tables

RUN = {"dataset": "d", "dataset_title": "D", "protocol": "k", "model": "m"}


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
    assert possible["note"] == "for instance: 209 of 210 blasts and 207 of 207 normals right"
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
        counts = [cells[name] for name in printed_audit.CELLS]
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
    assert "sensitivity and specificity not printed" in row["note"]
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
        ("Table 4\tALL_IDB\tvgg19\tninety\t90\t90\t\t\n", "Table 4, vgg19: could not convert"),
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


# --- Our own results


def own_results(folder, folds=3, blasts=0.5, surest=1.0, seed=0):
    """Evaluate random predictions; returns results.tsv and confusion.tsv."""
    random = np.random.default_rng(seed)
    paths = []
    for fold in range(folds):
        size = int(random.integers(20, 40))
        table = pd.DataFrame({"image_id": [f"{fold}-{i}" for i in range(size)], "fold": fold})
        table["role"] = "test"
        table["label"] = (random.random(size) < blasts).astype(int)
        table["probability"] = random.random(size) * surest
        paths.append(str(folder / f"predictions-{fold}.tsv"))
        table.to_csv(paths[-1], sep="\t", index=False)
    outputs = {name: str(folder / f"{name}.tsv") for name in ("metrics", "confusion")}
    metrics.evaluate_model(paths, outputs)
    results = result_tables.result_rows(result_tables.read_metrics(outputs["metrics"]))
    results = results.assign(
        protocol="k", protocol_title="K", model="m", model_title="M", note=results["note"]
    )
    results.to_csv(folder / "results.tsv", sep="\t", index=False)
    return folder / "results.tsv", folder / "confusion.tsv"


def audit_own(folder, results, confusion):
    paths = [folder / f"own.{ending}" for ending in ("tsv", "tex", "md")]
    printed_audit.audit_own_results({"d": results}, [confusion], [RUN], paths)
    return pd.read_csv(paths[0], sep="\t")


@pytest.mark.parametrize("seed", range(5))
def test_true_results_hold(tmp_path, seed):
    table = audit_own(tmp_path, *own_results(tmp_path, seed=seed))
    assert table["view"].tolist() == ["mean of folds", "pooled folds"]
    assert (table["verdict"] == "holds").all()
    confusion = pd.read_csv(tmp_path / "confusion.tsv", sep="\t", index_col="scope")
    predictions = pd.concat(
        pd.read_csv(path, sep="\t") for path in tmp_path.glob("predictions-*.tsv")
    )
    called = predictions["probability"] >= 0.5
    counts = confusion_matrix(predictions["label"], called).ravel().tolist()
    assert confusion.loc["pooled"].tolist() == counts
    assert table["images"].tolist() == [sum(counts)] * 2
    assert np.isnan(table["possible_matrices"][0])
    assert table["note"][0] == "a mean over folds has no confusion matrix of its own"
    assert table["possible_matrices"][1] >= 1


@pytest.mark.parametrize(
    ("blasts", "surest"), [(1.0, 1.0), (0.0, 1.0), (0.0, 0.4), (0.5, 0.4), (0.5, 1.0)]
)
@pytest.mark.parametrize("folds", [1, 2])
def test_one_class_or_one_call_is_no_error(tmp_path, blasts, surest, folds):
    table = audit_own(tmp_path, *own_results(tmp_path, folds, blasts, surest))
    assert (table["verdict"] == "holds").all()
    assert table.loc[table["sensitivity"].isna(), "note"].notna().all()
    assert "nan" not in (tmp_path / "own.md").read_text().lower()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("accuracy", "impossible: accuracy .* is above both sensitivity"),
        ("mcc", "mcc is .*, the confusion matrix gives"),
        ("weighted_f1", "weighted_f1 is"),
    ],
)
def test_a_falsified_pooled_row_is_an_error(tmp_path, metric, message):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(results, sep="\t")
    table.loc[1, metric] = 0.999
    table.to_csv(results, sep="\t", index=False)
    with pytest.raises(
        InputError, match=rf"^1 rows of .*cannot hold:\nd/k/m, pooled folds: {message}"
    ):
        audit_own(tmp_path, results, confusion)
    assert not (tmp_path / "own.tsv").exists()


def test_a_consistent_lie_is_found_by_the_confusion_matrix(tmp_path):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(results, sep="\t")
    # Figures of a matrix that could be, of as many images, but is not ours.
    counts = pd.read_csv(confusion, sep="\t", index_col="scope").loc["pooled"]
    normals = counts["true_negative"] + counts["false_positive"]
    right = counts["true_negative"] + 1
    table.loc[1, "specificity"] = right / normals
    table.loc[1, "accuracy"] = (right + counts["true_positive"]) / counts.sum()
    table.to_csv(results, sep="\t", index=False)
    with pytest.raises(InputError, match=r"accuracy is .*; specificity is .*"):
        audit_own(tmp_path, results, confusion)


@pytest.mark.parametrize("metric", ["accuracy", "sensitivity_sd", "f1"])
def test_a_falsified_mean_is_an_error(tmp_path, metric):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(results, sep="\t")
    table.loc[0, metric] += 1e-6
    table.to_csv(results, sep="\t", index=False)
    with pytest.raises(InputError, match=f"d/k/m, mean of folds: {metric} is"):
        audit_own(tmp_path, results, confusion)


def test_a_rate_that_is_left_out_is_an_error(tmp_path):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(results, sep="\t")
    table.loc[1, "sensitivity"] = np.nan
    table["note"] = "we would rather not say"
    table.to_csv(results, sep="\t", index=False)
    with pytest.raises(InputError, match="a rate is missing, but both classes are there"):
        audit_own(tmp_path, results, confusion)


def test_confusion_matrices_that_do_not_add_up_are_an_error(tmp_path):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(confusion, sep="\t")
    table.loc[0, "true_negative"] += 1
    table.to_csv(confusion, sep="\t", index=False)
    with pytest.raises(InputError, match="do not add up to the pooled one"):
        audit_own(tmp_path, results, confusion)
    table.drop(columns="true_negative").to_csv(confusion, sep="\t", index=False)
    with pytest.raises(InputError, match=r"confusion\.tsv: expected the columns scope"):
        audit_own(tmp_path, results, confusion)


def test_unknown_views_and_runs_are_errors(tmp_path):
    results, confusion = own_results(tmp_path)
    table = pd.read_csv(results, sep="\t")
    table.assign(view="best of folds").to_csv(results, sep="\t", index=False)
    with pytest.raises(InputError, match="the view 'best of folds' is not known"):
        audit_own(tmp_path, results, confusion)
    table.assign(model="other").to_csv(results, sep="\t", index=False)
    with pytest.raises(InputError, match="d/k/other has no confusion matrix"):
        audit_own(tmp_path, results, confusion)


def test_a_very_large_test_set_is_audited_in_little_memory():
    counts = dict(zip(printed_audit.CELLS, (140_000, 23_840, 11_111, 152_729), strict=True))
    confusion = pd.DataFrame([counts, counts], index=["fold-0", "pooled"])
    row = {
        metric: float(printed_audit._recompute(metric, confusion)[0])
        for metric in printed_audit.OF_COUNTS
    }
    answer = printed_audit.audit_row(row | {"view": "single test set", "note": ""}, confusion)
    assert (answer["verdict"], answer["images"]) == ("holds", 327_680)
