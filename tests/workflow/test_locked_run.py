"""Settings chosen in a fold and a locked test set, from images to tables."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells

from blastfold.core.files import digest_names

RUN = "training/cells/holdout/simple_cnn"
LOCKED = ["normal 1", "blast 4"]


def experiment():
    """One split of six subjects, two of them locked away, and a choice of two batch sizes."""
    config = small_experiment()
    config["datasets"]["cells"]["locked_test"] = {"subjects": LOCKED}
    config["protocols"]["holdout"] |= {"group_by": "subject", "validation_group_by": "image"}
    config["models"]["simple_cnn"] |= {"folds_in_one_job": True, "augment": False}
    config["models"]["simple_cnn"]["tune"] = {"batch_size": [8, 16]}
    config["experiments"][0]["protocols"] = ["holdout"]
    return config


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder after the tables of data sets and of chosen settings; nothing is opened."""
    folder = tmp_path_factory.mktemp("locked")
    raw = folder / "resources/raw/cells"
    random = np.random.default_rng(0)
    for path, label, _ in write_cells(raw, subjects=6, each=5):
        # Discs of two sizes are copies of one another; noise is not.
        pixels = random.integers(0, 256, (24, 24, 3)) // (1 + (label == "blast"))
        cv2.imwrite(str(raw / path), pixels.astype(np.uint8))
    run = snakemake(folder, "results/tables/tuning.md", config=experiment())
    assert run.returncode == 0, run.stdout
    return folder


def read(folder, path):
    return pd.read_csv(folder / "results" / path, sep="\t", keep_default_na=False)


def test_the_choice_is_recorded_and_is_that_of_the_network(finished):
    [record] = json.loads((finished / "results" / RUN / "runs.json").read_text("utf-8"))
    table = read(finished, "tables/tuning.tsv")
    assert table["settings"].tolist() == ["batch_size 8", "batch_size 16"]
    losses = table["validation_loss"].astype(float)
    assert table["chosen"].tolist() == (losses == losses.min()).astype(int).tolist()
    assert record["settings"]["batch_size"] == [8, 16][int(losses.argmin())]
    assert not (finished / "results/unfinished_training").exists()


def test_no_file_has_a_locked_image_before_it_is_asked_for(finished):
    results = finished / "results"
    whole = read(finished, "datasets/cells_whole/manifest.tsv")
    locked = whole.loc[whole["subject"].isin(LOCKED), "image_id"].tolist()
    assert len(locked) == 10
    assert read(finished, "datasets/cells/locked.tsv")["image_id"].tolist() == locked
    known = [results / "datasets/cells_whole", results / "datasets/cells/locked.tsv"]
    searched = 0
    for path in results.rglob("*.tsv"):
        if not any(path == one or one in path.parents for one in known):
            text = path.read_text("utf-8")
            assert not [name for name in locked if f"{name}\t" in text or f"{name}\n" in text], path
            searched += 1
    assert searched > 5
    assert len(np.load(results / "datasets/cells/images.npy", mmap_mode="r")) == 50
    [record] = json.loads((results / RUN / "runs.json").read_text("utf-8"))
    folds = read(finished, "folds/cells/holdout.tsv")
    trained = set(folds.loc[folds["role"] == "train", "image_id"])
    opened = read(finished, "datasets/cells/manifest.tsv")["image_id"]
    assert record["trained_on"] == digest_names(opened[opened.isin(trained)])
    assert not (results / "locked_test").exists()
    # Neither all nor any stage but one would take them.
    jobs = planned_jobs(snakemake(finished, "-n", config=experiment()))
    assert not {"open_locked_test", "take_locked_part", "describe_locked_test"} & set(jobs)


def test_the_locked_part_is_opened_by_name_and_every_opening_is_recorded(finished):
    config = experiment()
    asked = snakemake(finished, "locked_test", config=config)
    assert asked.returncode == 0, asked.stdout
    results = read(finished, "locked_test/results.tsv")
    assert results["tested"].tolist() == ["open part", "locked test set"]
    assert results["images"].iloc[1] == 10
    assert results["opened"].tolist() == [1, 1]
    place = "external/cells/holdout/simple_cnn/cells_locked_test/predictions.tsv"
    predicted = read(finished, place)
    right = (predicted["probability_blast"] >= 0.5) == (predicted["label"] == 1)
    assert float(results["accuracy"].iloc[1]) == pytest.approx(right.mean())
    # Asked again nothing is opened; a title is no reason either.
    assert "Nothing to be done" in snakemake(finished, "locked_test", "-n", config=config).stdout
    config["models"]["simple_cnn"]["title"] = "CNN"
    planned = planned_jobs(snakemake(finished, "locked_test", "-n", config=config))
    assert "describe_locked_test" in planned
    assert not {"open_locked_test", "train_folds"} & set(planned)
    # Another network is another opening.
    config["models"]["simple_cnn"]["learning_rate"] = 0.01
    planned = planned_jobs(snakemake(finished, "locked_test", "-n", config=config))
    assert {"train_folds", "open_locked_test", "apply_models"} <= set(planned)
    again = "results/locked_test/cells/opening.json"
    assert (
        snakemake(finished, again, "--forcerun", "open_locked_test", config=experiment()).returncode
        == 0
    )
    lines = read(finished, "locked_test/cells/openings.tsv")
    assert lines["number"].tolist() == [1, 2]
    assert lines["runs"].unique().tolist() == ["holdout/simple_cnn"]
