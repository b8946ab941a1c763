"""The table of costs: every number against one added up by hand, and records that are not there."""

import json

import pandas as pd
import pytest

from blastfold.reporting.page.files import cost_sentence
from blastfold.reporting.tables.compute_cost import collect_costs, read_benchmark

TITLES = {
    "dataset": {"cells": "Cells {1}", "others": "Others"},
    "protocol": {"kfold": "2 folds"},
    "model": {"cnn": "Simple CNN", "vgg19": "VGG19"},
}
JOBS = [
    ("import_dataset", "cells", "cells"),
    ("audit_dataset", "cells", "cells"),
    ("extract_tiles", "cells", "cells/slide 1"),
    ("extract_tiles", "cells", "cells/slide 2"),
]
HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmean_load\tcpu_time\n"


@pytest.fixture
def records(tmp_path):
    """Two models, two folds each, an import and an audit; returns how to collect them."""
    runs = []
    for model, gpu in (("cnn", None), ("vgg19", 1500.4)):
        folds = []
        for fold in (0, 1):
            run = {
                "job": "train_model",
                "fold": fold,
                "images": {"train": 100 + fold, "validation": 10, "test": 40},
                "seconds": 50.0,
                "peak_memory_mb": 900.0,
                "peak_gpu_memory_mb": gpu + fold if gpu else None,
                "epochs": 2,
                "epoch_seconds": 20.0,
            }
            folds.append(run)
            write_benchmark(tmp_path, f"train_model/cells/kfold/{model}/fold-{fold}", 60 + fold)
        runs.append(tmp_path / f"{model}.json")
        runs[-1].write_text(json.dumps(folds))
    write_benchmark(tmp_path, "import_dataset/cells", 7.25, 300)
    write_benchmark(tmp_path, "extract_tiles/cells/slide 1", 1, 310)
    write_benchmark(tmp_path, "extract_tiles/cells/slide 2", 2, 320)
    write_benchmark(tmp_path, "import_dataset/of_another_experiment", 1000, 99999)
    # Of the same data set, but of a job that the experiment no longer has.
    write_benchmark(tmp_path, "extract_tiles/cells/of_another_experiment", 1000, 99999)
    write_benchmark(tmp_path, "train_model/cells/kfold/of_another_experiment/fold-0", 1000, 99999)

    def collect(**more):
        paths = [tmp_path / f"compute_cost.{ending}" for ending in ("tsv", "tex", "md")]
        trainings = [("cells", "kfold", "cnn", 2), ("cells", "kfold", "vgg19", 2)]
        collect_costs(trainings, runs, JOBS, tmp_path / "benchmarks", TITLES, paths, **more)
        return pd.read_csv(paths[0], sep="\t", keep_default_na=False)

    return collect


def write_benchmark(folder, name, seconds, memory=1000.0):
    path = folder / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:01:00\t{memory}\t9000\t90\t40\n")
    return path


def row(table, **names):
    found = table.loc[(table[list(names)] == pd.Series(names)).all(axis=1)]
    assert len(found) == 1, table.to_string()
    return found.iloc[0]


def test_costs_are_those_added_up_by_hand(records):
    table = records()
    cnn = row(table, job="train_model", model="cnn")
    assert (cnn["jobs"], float(cnn["seconds"]), float(cnn["peak_memory_mb"])) == (2, 121, 1000)
    # 2 epochs of 100 and of 101 images in 20 s each.
    assert float(cnn["images_per_second"]) == pytest.approx((200 + 202) / 40, abs=0.0501)
    assert cnn["gpu_memory_mb"] == ""
    assert cnn["note"] == "GPU memory n/a: trained on the CPU"
    vgg = row(table, job="train_model", model="vgg19")
    assert float(vgg["gpu_memory_mb"]) == 1501
    assert vgg["note"] == ""
    tiles = row(table, job="extract_tiles")
    assert (tiles["jobs"], float(tiles["seconds"]), float(tiles["peak_memory_mb"])) == (2, 3, 320)
    assert row(table, job="train_model", model="all")["seconds"] == 242
    total = row(table, job="all", model="all")
    assert total["jobs"] == 7
    assert total["seconds"] == pytest.approx(242 + 7.25 + 3, abs=0.06)
    assert float(total["images_per_second"]) == pytest.approx(804 / 80, abs=0.0501)
    assert "of_another_experiment" not in table.to_string()
    assert set(table["dataset_title"]) == {"Cells {1}", "all"}


def test_energy_is_an_estimate_from_hours_and_assumed_watts(records, tmp_path):
    assert "estimated_kwh" not in records()
    table = records(watts=500)
    total = row(table, job="all", model="all")
    # 252.25 seconds of all jobs are 0.0701 hours, at half a kilowatt.
    assert float(total["device_hours"]) == pytest.approx(252.25 / 3600, abs=0.0001)
    assert float(total["estimated_kwh"]) == pytest.approx(252.25 / 7200, abs=0.0001)
    text = (tmp_path / "compute_cost.md").read_text()
    assert "an estimate and not measured" in text
    assert "500 W" in text


def test_the_page_names_the_total_and_adds_no_sums_to_it(records):
    # Four trainings, an import and two slides: 252.25 seconds in seven jobs.
    assert cost_sentence(records()).startswith(
        "The 7 jobs that import, audit and train took 4.2 min"
    )
    assert cost_sentence(records().iloc[:1]) == ""


def test_latex_and_markdown_say_why_a_number_is_missing(records, tmp_path):
    records()
    for ending in ("tex", "md"):
        text = (tmp_path / f"compute_cost.{ending}").read_text()
        assert "trains no network" in text
        assert "Peak memory" in text.replace(r"\\", " ")


def test_missing_benchmark_is_replaced_by_the_record_and_noted(records, tmp_path):
    (tmp_path / "benchmarks/train_model/cells/kfold/cnn/fold-1.tsv").unlink()
    cnn = row(records(), job="train_model", model="cnn")
    assert cnn["seconds"] == 60 + 50
    assert cnn["note"].startswith("1 of 2 benchmark files are missing")


@pytest.mark.parametrize("text", ["", HEADER, f"{HEADER}NA\t0\tNA\t-\t-\t-\n", "no\ttable\n1\t2\n"])
def test_damaged_benchmark_is_as_good_as_none(records, tmp_path, text):
    path = write_benchmark(tmp_path, "train_model/cells/kfold/cnn/fold-0", 1)
    path.write_text(text)
    assert read_benchmark(path) is None
    assert "1 of 2 benchmark files" in row(records(), job="train_model", model="cnn")["note"]


def test_job_too_short_for_its_memory_has_a_note(records, tmp_path):
    write_benchmark(tmp_path, "import_dataset/cells", 0.02, "NA")
    short = row(records(), job="import_dataset")
    assert short["peak_memory_mb"] == ""
    assert "too short" in short["note"]


def test_interrupted_training_is_reported(records, tmp_path):
    write_benchmark(tmp_path, "train_model/cells/kfold/cnn/fold-0", 5)
    write_benchmark(tmp_path, "train_model/cells/kfold/cnn/fold-1", 5)
    cnn = row(records(), job="train_model", model="cnn")
    assert cnn["seconds"] == 10
    assert "all epochs together took 40 s" in cnn["note"]


def test_heads_of_all_folds_trained_in_one_job(records, tmp_path):
    path = tmp_path / "vgg19.json"
    folds = [record | {"job": "train_heads"} for record in json.loads(path.read_text())]
    path.write_text(json.dumps(folds))
    measured = write_benchmark(tmp_path, "train_heads/cells/kfold/vgg19", 33, 700)
    # Benchmarks of an earlier training of all layers are newer, and not of the stored results.
    write_benchmark(tmp_path, "train_model/cells/kfold/vgg19/fold-0", 60)
    vgg = row(records(), job="train_heads")
    assert (vgg["model"], vgg["jobs"], vgg["seconds"]) == ("vgg19", 1, 33)
    assert float(vgg["peak_memory_mb"]) == 700
    measured.unlink()
    vgg = row(records(), job="train_heads")
    assert (vgg["jobs"], vgg["seconds"]) == (1, 100)
    assert vgg["note"].startswith("1 of 1 benchmark files are missing")


def test_nothing_measured_at_all_still_gives_a_table(records, tmp_path):
    for path in (tmp_path / "benchmarks").rglob("*.tsv"):
        path.unlink()
    table = records()
    assert row(table, job="all", model="all")["seconds"] == 200
    assert set(table["job"]) == {"train_model", "all"}
