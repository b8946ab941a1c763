"""Repeats, the leak in isolation and permuted labels, from images to tables and figures."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from support.workflow import small_experiment, snakemake, write_cells

LEAK = "results/tables/cells/leak_contrast"
FIGURES = ("cells/leak_contrast", "permutations", "cells/variance_components")


def experiment():
    """Two arms of a leak contrast, and heads whose labels are permuted, each in two repeats."""
    config = small_experiment()
    folds = {"folds": 3, "repeats": 2, "group_by": "subject", "validation_fraction": 0}
    config["protocols"] = {
        "leak": {"kind": "leak_contrast", "leak": "subject", **folds},
        "subject_folds": {"kind": "kfold", **folds},
    }
    config["models"]["simple_cnn"]["folds_in_one_job"] = True
    config["models"]["frozen"] = {
        "architecture": "simple_cnn",
        "train": "head",
        "augment": False,
        "epochs": 2,
    }
    cells = {"datasets": ["cells"]}
    config["experiments"] = [
        {**cells, "protocols": ["leak"], "models": ["simple_cnn"]},
        {**cells, "protocols": ["subject_folds"], "models": ["frozen"], "permutations": 20},
    ]
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leak")
    write_cells(folder / "resources/raw/cells", subjects=6, each=6)
    targets = [f"{LEAK}.md", "results/tables/permutations.md"]
    targets += [f"results/figures/{name}.png" for name in FIGURES]
    run = snakemake(folder, *targets, config=experiment())
    assert run.returncode == 0, run.stdout
    return folder


def read(folder, path):
    return pd.read_csv(folder / path, sep="\t", keep_default_na=False, na_values=[""])


def test_both_arms_test_the_same_images_and_learn_from_as_many(finished):
    arms = [
        read(finished, f"results/folds/cells/leak_{arm}_leak.tsv").set_index("image_id")
        for arm in ("with", "without")
    ]
    manifest = read(finished, "results/datasets/cells/manifest.tsv").set_index("image_id")
    for number in range(6):
        with_leak, without = (arm[arm["fold"] == number] for arm in arms)
        tested = [sorted(arm.index[arm["role"] == "test"]) for arm in (with_leak, without)]
        assert tested[0] == tested[1] != []
        trained = [manifest.loc[arm.index[arm["role"] == "train"]] for arm in (with_leak, without)]
        for column in ("label", "subject"):
            counts = [part.groupby("label")[column].nunique().tolist() for part in trained]
            assert counts[0] == counts[1]
        subjects = [set(part["subject"]) for part in trained]
        test_subjects = set(manifest.loc[tested[0], "subject"])
        assert test_subjects <= subjects[0]
        assert not test_subjects & subjects[1]


def test_the_table_holds_the_difference_of_the_arms(finished):
    values = []
    for arm in ("with", "without"):
        path = f"results/evaluation/cells/leak_{arm}_leak/simple_cnn/predictions.tsv"
        tested = read(finished, path).query("role == 'test'")
        assert sorted(set(tested["repeat"])) == [0, 1]
        values.append(
            np.mean(
                [
                    roc_auc_score(fold["label"], fold["probability_blast"])
                    for _, fold in tested.groupby("fold")
                ]
            )
        )
    [row] = (
        read(finished, f"{LEAK}.tsv").query("question.str.contains('leaked')").to_dict("records")
    )
    assert (row["first"], row["second"]) == pytest.approx(tuple(values))
    assert row["difference"] == pytest.approx(100 * (values[0] - values[1]))


def test_permuted_labels_are_compared_with_the_true_ones(finished):
    table = read(finished, "results/tables/permutations.tsv")
    assert table["permutations"].tolist() == [20, 20]
    stored = read(finished, "results/permutations/cells/subject_folds/frozen.tsv")
    counts = stored.groupby("labels")["permutation"].nunique().to_dict()
    assert counts == {"true": 1, "subject": 20, "image": 20}
    # The test of Phipson and Smyth (2010): the true labels are one of 21 draws.
    values = stored.groupby(["labels", "permutation"])["auc"].mean()
    for kind, p_value in zip(("subject", "image"), table["p_value"], strict=True):
        at_least = int((values[kind] >= values["true"].item()).sum())
        assert p_value == pytest.approx((1 + at_least) / 21)


def test_figures_are_drawn(finished):
    for name in FIGURES:
        assert (finished / f"results/figures/{name}.png").stat().st_size > 5000
