"""An ablation through the workflow: all combinations trained, measured, drawn."""

import pandas as pd
import pytest
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells

from blastfold.core.names import BASELINES

CONFIG = small_experiment(
    protocols={
        "by_subject": {
            "kind": "holdout",
            "group_by": "subject",
            "test_fraction": 0.5,
            "validation_fraction": 0,
        }
    },
    ablations={
        "small": {
            "title": "A small one",
            "datasets": ["cells"],
            "protocols": ["by_subject"],
            "model": "simple_cnn",
            "vary": {"preprocessing": ["none", "mean_image"], "train": ["all", "head"]},
            "training_shares": [0.5],
        }
    },
)
CONFIG.pop("experiments")
# All drawn cells are much alike; those of two subjects must not count as duplicates.
CONFIG["datasets"]["cells"]["duplicates"] = {"minimum_similarity": 1}

CELLS = ["small_none_all", "small_none_head", "small_mean_image_all", "small_mean_image_head"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    write_cells(folder / "resources/raw/cells")
    pages = [
        f"results/tables/ablations/small/{name}.{ending}"
        for name in ("effects", "cells", "learning_curve")
        for ending in ("tsv", "tex", "md")
    ]
    figures = [
        f"results/figures/ablations/small/{name}.png" for name in ("effects", "learning_curve")
    ]
    run = snakemake(folder, *pages, *figures, "results/tables/cells/results.tsv", config=CONFIG)
    assert run.returncode == 0, run.stdout
    return folder


def read(folder, path):
    return pd.read_csv(folder / "results" / path, sep="\t", keep_default_na=False, na_values=[""])


def test_effects_are_the_mean_differences_of_the_combinations(finished):
    effects = read(finished, "evaluation/ablations/small/effects.tsv")
    cells = read(finished, "evaluation/ablations/small/cells.tsv")
    assert list(dict.fromkeys(cells["model"])) == CELLS
    assert len(effects) == 2 * 5
    for row in effects.to_dict("records"):
        values = cells[cells["metric"] == row["metric"]].groupby(row["factor"])["value"].mean()
        expected = values[row["level"]] - values[row["reference"]]
        assert row["difference"] == pytest.approx(expected, abs=1e-9)
        assert (row["cells"], row["images"], row["groups"]) == (2, 16, 4)


def test_cells_are_what_the_models_predicted(finished):
    cells = read(finished, "evaluation/ablations/small/cells.tsv").set_index(["model", "metric"])
    for model in CELLS:
        # The heads of all folds are one job.
        folder = model if model.endswith("head") else f"{model}/fold-0"
        place = f"training/cells/by_subject/{folder}/predictions.tsv"
        tested = read(finished, place).query("role == 'test'")
        right = (tested["probability_blast"].astype(float) >= 0.5) == (tested["label"] == 1)
        assert cells.at[(model, "accuracy"), "value"] == pytest.approx(right.mean())


def test_learning_curve_has_the_same_test_images_and_fewer_groups(finished):
    curve = read(finished, "evaluation/ablations/small/learning_curve.tsv")
    accuracy = curve[curve["metric"] == "accuracy"]
    assert accuracy["share"].tolist() == [0.5, 1.0]
    assert accuracy["training_groups"].tolist() == [2, 4]
    assert accuracy["training_images"].tolist() == [8, 16]
    splits = [
        read(finished, f"folds/cells/{name}.tsv").query("role == 'test'")["image_id"].tolist()
        for name in ("by_subject", "by_subject_share_50")
    ]
    assert splits[0] == splits[1]
    assert len(splits[0]) == 16


def test_printed_tables_hold_titles_and_points(finished):
    effects = read(finished, "tables/ablations/small/effects.tsv")
    assert set(effects["level_title"]) == {"head", "mean image"}
    stored = read(finished, "evaluation/ablations/small/effects.tsv")
    # The primary metric has a verdict in place of its description.
    stored = stored[(stored["metric"] != "auc") | (stored["outcome"] != "descriptive")]
    assert effects["difference"].tolist() == pytest.approx((100 * stored["difference"]).tolist())
    printed = (finished / "results/tables/ablations/small/cells.md").read_text("utf-8")
    assert "| no mean image | all layers |" in printed
    results = read(finished, "tables/cells/results.tsv")
    assert set(results["model"]) == {*CELLS, "simple_cnn", *BASELINES}


def test_other_tables_and_figures_show_the_reference_alone(finished):
    run = snakemake(finished, "--dry-run", "--forceall", config=CONFIG)
    jobs = planned_jobs(run)
    assert jobs["evaluate_model"] == 4 + 2
    # The reference and the model itself, on all training groups.
    assert jobs["describe_model"] == 2
    assert jobs["describe_protocol"] == jobs["compare_models"] == 1
    assert jobs["describe_ablation"] == jobs["describe_learning_curve"] == 1
    assert "describe_protocol_gap" not in jobs
    assert jobs["assign_folds"] == jobs["audit_split"] == 2


def test_repeats_are_more_trainings_of_the_same_splits(finished):
    [protocol] = CONFIG["protocols"].values()
    config = CONFIG | {"protocols": {"by_subject": protocol | {"repeats": 3}}}
    jobs = planned_jobs(snakemake(finished, "--dry-run", "--forceall", config=config))
    once = planned_jobs(snakemake(finished, "--dry-run", "--forceall", config=CONFIG))
    assert jobs["train_model"] == 3 * once["train_model"]
    unchanged = ("train_heads", "assign_folds", "evaluate_model", "estimate_ablation")
    assert [jobs[rule] for rule in unchanged] == [once[rule] for rule in unchanged]
    assert jobs["estimate_variance_components"] == jobs["describe_variance_components"] == 1
    assert "estimate_variance_components" not in once
