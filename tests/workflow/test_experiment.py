"""A small experiment from files with awkward names to tables, figures and the report."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells

from blastfold.core.files import digest_file

AWKWARD = 'Zelle nr. 1\'s "größe" (ß, é)'


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished experiment; one file is damaged, one is grey."""
    folder = tmp_path_factory.mktemp("experiment")
    raw = folder / "resources" / "raw" / "cells"
    rows = write_cells(raw, subjects=4, each=6, awkward=AWKWARD)
    damaged = raw / rows[0][0]
    damaged.write_bytes(damaged.read_bytes()[:40])
    run = snakemake(folder, config=small_experiment())
    assert run.returncode == 0, run.stdout
    return folder, rows, run.stdout


def read(folder, *path):
    return pd.read_csv(folder.joinpath("results", *path), sep="\t", keep_default_na=False)


def test_bad_image_is_rejected_with_its_reason(finished):
    folder, rows, _ = finished
    rejected = read(folder, "datasets", "cells", "rejected.tsv")
    assert rejected["file"].tolist() == [rows[0][0]]
    assert rejected["reason"].iloc[0] != ""
    manifest = read(folder, "datasets", "cells", "manifest.tsv")
    assert sorted(manifest["file"]) == sorted(row[0] for row in rows[1:])
    images = np.load(folder / "results" / "datasets" / "cells" / "images.npy")
    assert images.shape == (47, 20, 20, 3)


def test_progress_is_visible(finished):
    _, _, output = finished
    assert "cells/holdout/simple_cnn/fold-0: epoch 1/1: loss" in output


def test_predictions_cover_every_image_of_every_fold(finished):
    folder, _, _ = finished
    manifest = read(folder, "datasets", "cells", "manifest.tsv").set_index("image_id")
    tables = [
        read(folder, "training", "cells", "subject_folds", "simple_cnn", f"fold-{fold}", name)
        for fold in range(2)
        for name in ("predictions.tsv",)
    ]
    tested = pd.concat(tables).query("role == 'test'").set_index("image_id")
    assert sorted(tested.index) == sorted(manifest.index)
    assert (tested["label"] == manifest.loc[tested.index, "label"]).all()
    subjects = tested.join(manifest["subject"]).groupby("subject")["fold"].nunique()
    assert (subjects == 1).all()


def test_tables_agree_with_scikit_learn_on_the_predictions(finished):
    folder, _, _ = finished
    place = ("training", "cells", "subject_folds", "simple_cnn")
    tables = [read(folder, *place, f"fold-{fold}", "predictions.tsv") for fold in range(2)]
    tested = pd.concat(tables).query("role == 'test'")
    metrics = read(folder, "evaluation", "cells", "subject_folds", "simple_cnn", "metrics.tsv")
    values = metrics.set_index(["scope", "metric"])["value"]
    probability = tested["probability_blast"].astype(float)
    assert float(values["pooled", "auc"]) == pytest.approx(
        roc_auc_score(tested["label"], probability)
    )
    assert float(values["pooled", "accuracy"]) == pytest.approx(
        accuracy_score(tested["label"], probability >= 0.5)
    )
    assert read(folder, "tables", "cells", "results.tsv").shape[0] > 0


def test_an_evaluation_puts_the_folds_together_as_they_are(finished):
    folder, _, _ = finished
    training, evaluation = (
        folder / "results" / kind / "cells/subject_folds/simple_cnn"
        for kind in ("training", "evaluation")
    )
    folds = [training / f"fold-{fold}" for fold in range(2)]
    lines = [(place / "predictions.tsv").read_text("utf-8").splitlines() for place in folds]
    pooled = (evaluation / "predictions.tsv").read_text("utf-8").splitlines()
    assert pooled == [lines[0][0], *lines[0][1:], *lines[1][1:]]
    runs = json.loads((evaluation / "runs.json").read_text("utf-8"))
    assert runs == [json.loads((place / "run.json").read_text("utf-8")) for place in folds]
    for run, place in zip(runs, folds, strict=True):
        assert run["predictions_sha256"] == digest_file(place / "predictions.tsv")
        history = pd.read_csv(place / "history.tsv", sep="\t")
        assert history[["repeat", "fold"]].to_numpy().tolist() == [[0, run["fold"]]]
        assert run["epochs"] == len(history)
        assert run["epoch_seconds"] == pytest.approx(history["seconds"].sum(), abs=0.001)


def test_run_record_ties_the_result_to_its_data(finished):
    folder, _, _ = finished
    place = folder / "results" / "training" / "cells" / "holdout" / "simple_cnn" / "fold-0"
    record = json.loads((place / "run.json").read_text("utf-8"))
    summary = json.loads((folder / "results/datasets/cells/dataset.json").read_text("utf-8"))
    assert record["digests"]["images"] == summary["images_sha256"]
    assert record["digests"]["manifest"] == summary["manifest_sha256"]
    assert (
        record["images"]["train"] + record["images"]["validation"] + record["images"]["test"]
        == summary["images"]
    )


def test_mean_image_was_fitted_on_the_training_images_of_the_run(finished):
    folder, _, _ = finished
    path = folder / "results/mean_images/cells/subject_folds.json"
    for fold, record in enumerate(json.loads(path.read_text("utf-8"))):
        run = json.loads(
            (
                folder / f"results/training/cells/subject_folds/simple_cnn/fold-{fold}/run.json"
            ).read_text()
        )
        assert record["fitted_on"] == run["trained_on"]


def test_nothing_is_computed_twice(finished):
    folder, _, _ = finished
    again = snakemake(folder, "--dry-run", config=small_experiment())
    assert "Nothing to be done" in again.stdout


def test_a_changed_setting_runs_what_depends_on_it_alone(finished):
    folder, _, _ = finished
    config = small_experiment()
    config["models"]["simple_cnn"]["title"] = "A new name"
    jobs = planned_jobs(snakemake(folder, "--dry-run", config=config))
    assert "train_model" not in jobs
    assert jobs["describe_results"] == 1
    config["models"]["simple_cnn"]["learning_rate"] = 0.01
    jobs = planned_jobs(snakemake(folder, "--dry-run", config=config))
    assert jobs["train_model"] == 3
    assert "import_dataset" not in jobs
    assert "assign_folds" not in jobs


def test_tables_need_no_raw_data(finished):
    folder, _, _ = finished
    raw = folder / "resources"
    raw.rename(folder / "elsewhere")
    try:
        (folder / "results" / "tables" / "cells" / "results.tsv").unlink()
        run = snakemake(folder, "tables", config=small_experiment())
    finally:
        (folder / "elsewhere").rename(raw)
    assert run.returncode == 0, run.stdout
    assert "rule train_model" not in run.stdout
    assert (folder / "results" / "tables" / "cells" / "results.tsv").is_file()


def test_report_holds_every_category(finished):
    folder, _, _ = finished
    run = snakemake(folder, "--report", "report.html", config=small_experiment())
    assert run.returncode == 0, run.stdout
    report = (folder / "report.html").read_text("utf-8")
    categories = ("Data sets", "Training", "Evaluation", "Comparison", "Reproduction", "Audit")
    for category in categories:
        assert f'"{category}"' in report
