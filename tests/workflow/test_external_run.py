"""Training on one data set and testing on another, through the workflow."""

import numpy as np
import pandas as pd
import pytest
from support.workflow import small_experiment, snakemake, write_cells

PLACE = "results/external/cells/subject_folds/simple_cnn/others"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("external")
    write_cells(folder / "resources/raw/cells")
    write_cells(folder / "resources/raw/others", subjects=2, each=3)
    config = small_experiment()
    config["datasets"]["others"] = dict(config["datasets"]["cells"])
    config["experiments"][0]["protocols"] = ["subject_folds"]
    config["experiments"][0]["external_test"] = ["others"]
    targets = [f"results/tables/external_test.{ending}" for ending in ("tsv", "md")]
    figure = "results/figures/external_test.png"
    run = snakemake(folder, *targets, figure, "results/tables/datasets.tsv", config=config)
    assert run.returncode == 0, run.stdout
    return folder


def test_every_image_of_the_other_data_set_is_predicted_by_every_fold(finished):
    predictions = pd.read_csv(finished / PLACE / "predictions.tsv", sep="\t")
    assert len(predictions) == 2 * 2 * 3
    networks = pd.read_csv(finished / PLACE / "networks.tsv", sep="\t")
    assert networks.groupby("fold")["image_id"].nunique().to_dict() == {0: 12, 1: 12}
    mean = networks.groupby("image_id")["probability_blast"].mean()
    np.testing.assert_allclose(
        mean[predictions["image_id"]], predictions["probability_blast"], atol=1e-6
    )


def test_table_shows_both_tests_and_nothing_was_fitted_on_the_other_data_set(finished):
    table = pd.read_csv(finished / "results/tables/external_test.tsv", sep="\t")
    assert table["tested"].tolist() == ["same data set", "other data set"]
    assert table["images"].tolist() == [32, 12]
    predictions = pd.read_csv(finished / PLACE / "predictions.tsv", sep="\t")
    called = predictions["probability_blast"] >= 0.5
    accuracy = (called == (predictions["label"] == 1)).mean()
    assert table["accuracy"].iloc[1] == pytest.approx(accuracy)
    assert not (finished / "results/mean_images/others").exists()
    assert not (finished / "results/folds/others").exists()


def test_the_other_data_set_is_described(finished):
    datasets = pd.read_csv(finished / "results/tables/datasets.tsv", sep="\t")
    assert datasets["dataset"].tolist() == ["cells", "others"]
