"""All classes of networks on another data set, which lacks one of the classes that they know."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle
from support.class_predictions import class_table

from blastfold.core.names import POOLED
from blastfold.core.notes import note_codes
from blastfold.core.predictions import mark_positive, write_predictions
from blastfold.evaluation.class_results import class_metrics_table, evaluate_elsewhere
from blastfold.reporting.class_tables import pooled_confusion
from blastfold.reporting.figures.classes import plot_class_confusion
from blastfold.reporting.figures.external_test import plot_external_classes
from blastfold.reporting.tables.classes import tabulate_classes
from blastfold.reporting.tables.external_classes import tabulate_external_classes
from blastfold.reporting.tables.external_test import title_with_missing

NAMES = ["benign", "early", "pre", "pro"]
MEANS = ("balanced_accuracy", "macro_f1", "macro_auc")
RUN = {"dataset": "own", "protocol": "folds", "model": "cnn", "external": "other"}
TITLES = {f"{name}_title": value.title() for name, value in RUN.items()}


@pytest.fixture
def tested(tmp_path):
    """Mean of two networks, and the networks; no image is of the third class."""
    networks = [class_table(4, groups=20, images=3, folds=1, seed=seed) for seed in (0, 1)]
    columns = {f"probability_k{place}": f"probability_{name}" for place, name in enumerate(NAMES)}
    networks = [
        table[table["class_label"] != 2].assign(fold=place).rename(columns=columns)
        for place, table in enumerate(networks)
    ]
    mean = networks[0].copy()
    mean[list(columns.values())] = sum(one[list(columns.values())] for one in networks) / 2
    for name, table in (("predictions", mean), ("networks", pd.concat(networks))):
        plain = table.assign(label=table["class_label"])
        plain = plain.drop(columns=["class_label", "probability", "positive_class"])
        write_predictions(mark_positive(plain, NAMES[1:]), tmp_path / f"{name}.tsv")
    groups = mean[["image_id", "group"]].assign(relations="subject")
    groups.to_csv(tmp_path / "groups.tsv", sep="\t", index=False)
    names = ("class_metrics", "class_confusion", "class_curves", "network_class_metrics")
    outputs = {name: tmp_path / f"{name}.tsv" for name in names}
    files = [tmp_path / f"{name}.tsv" for name in ("predictions", "networks", "groups")]
    evaluate_elsewhere(*files, 1, list(RUN.values()), outputs)
    return tmp_path, mean


def stored_metrics(folder, name="class_metrics"):
    table = pd.read_csv(folder / f"{name}.tsv", sep="\t", keep_default_na=False)
    for column in ("value", "lower", "upper"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    return table[table["scope"] == POOLED].set_index(["metric", "class"])


def test_means_are_over_the_classes_with_images_and_note_it(tested):
    folder, mean = tested
    found = stored_metrics(folder)
    label = mean["class_label"].to_numpy()
    probability = mean[[f"probability_{name}" for name in NAMES]].to_numpy()
    called, present = probability.argmax(axis=1), [0, 1, 3]
    areas = [oracle.roc_auc_score(label == place, probability[:, place]) for place in present]
    f1 = oracle.f1_score(label, called, labels=present, average="macro")
    recalls = oracle.recall_score(label, called, labels=present, average=None)
    expected = [recalls.mean(), f1, np.mean(areas)]
    for metric, value in zip(MEANS, expected, strict=True):
        row = found.loc[metric, ""]
        assert row["value"] == pytest.approx(value, abs=1e-12)
        assert row["lower"] < value < row["upper"]
        assert "classes_with_images:3:4" in row["note"]
        assert (row["images"], row["groups"]) == (45, 15)
    # What counts images knows all four classes: the third one may be predicted.
    assert found.loc["mcc", ""]["value"] == pytest.approx(oracle.matthews_corrcoef(label, called))
    assert "classes_with_images" not in note_codes(found.loc["accuracy", ""]["note"])
    assert np.isnan(found.loc["sensitivity", "pre"]["value"])


def test_single_networks_are_measured_like_those_of_a_cross_validation(tested):
    folder, _ = tested
    both = pd.read_csv(folder / "networks.tsv", sep="\t")
    probability = both[[f"probability_{name}" for name in NAMES]].to_numpy()
    row = stored_metrics(folder, "network_class_metrics").loc["accuracy", ""]
    assert row["value"] == pytest.approx((probability.argmax(axis=1) == both["label"]).mean())
    assert (row["method"], row["images"], row["groups"]) == ("crossed-t", 45, 15)


@pytest.mark.parametrize("left", [[0], [0, 1, 2, 3]])
def test_one_class_alone_has_no_mean_and_all_classes_need_no_note(left):
    table = class_table(4, groups=16)
    table = table[table["class_label"].isin(left)].reset_index(drop=True)
    draws = np.random.default_rng(0)
    found = class_metrics_table(table, table["group"], draws, present_only=True)
    rows = found[(found["scope"] == POOLED) & found["metric"].isin(MEANS) & (found["class"] == "")]
    codes = set().union(*(note_codes(note) for note in rows["note"]))
    assert rows["value"].isna().all() == (len(left) == 1)
    assert ("classes_without_images" in codes) == (len(left) == 1)
    assert "classes_with_images" not in codes


def test_tables_and_the_matrix_say_which_classes_either_side_lacks(tested):
    folder, _ = tested
    record = {"networks": ["a", "b"]}
    record["classes"] = {"left_out": {"basophil": 4}, "absent": ["pre"]}
    (folder / "record.json").write_text(json.dumps(record))
    files = [[folder / f"{name}.tsv"] for name in ("class_metrics", "network_class_metrics")]
    paths = [folder / f"table.{ending}" for ending in ("tsv", "md", "tex", "html")]
    given = *(files[0], files[1], files[0]), [folder / "record.json"], [RUN | TITLES]
    tabulate_external_classes(*given, paths)
    plot_external_classes(*given, [folder / "figure.svg"])
    drawn = (folder / "figure.svg").read_text("utf-8").replace("\n", " ")
    assert "Macro AUC (%)" in drawn
    assert "basophil (4)" in drawn
    table = pd.read_csv(paths[0], sep="\t")
    assert table["networks"].tolist() == ["single networks"] * 2 + ["mean of 2 networks"]
    left_out = table["note"].str.contains("do not know are left out: basophil (4)", regex=False)
    assert left_out.tolist() == [False, True, True]
    assert table["note"].str.contains("mean over the 3 of the 4 classes").all()
    printed = paths[1].read_text()
    assert "no image is of the class pre" in printed
    assert "| Weighted F1" not in printed
    assert {"weighted_f1", "mcc"} <= set(table.columns)
    stored = [
        folder / f"{name}.tsv" for name in ("class_metrics", "class_confusion", "predictions")
    ]
    title = title_with_missing("Own, tested on Other", folder / "record.json")
    assert title.startswith("Own, tested on Other. Images of classes that the networks do not")
    tabulate_classes(*stored, title, "tab:x", paths)
    assert pd.read_csv(paths[0], sep="\t")["images"].tolist() == [15, 15, 0, 15]
    assert pooled_confusion(stored[1]).classes == tuple(NAMES)
    plot_class_confusion(stored[1], title, [folder / "matrix.png"])
    assert (folder / "matrix.png").stat().st_size > 1000
