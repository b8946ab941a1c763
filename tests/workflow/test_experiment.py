"""A small experiment from files with awkward names to tables, figures, publication and report.

Every rule runs in the environment of its stage, with the packages of this stage alone.
"""

import html
import json
import os
import re
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score
from support import stand_in_conda
from support.browser import find_browser, open_page
from support.environment_files import read_environment
from support.repository import REPOSITORY
from support.stage_imports import stage_rules
from support.workflow import planned_jobs, small_experiment, snakemake, write_cells

from blastfold.core.files import digest_file
from blastfold.core.names import BASELINES

AWKWARD = 'Zelle nr. 1\'s "größe" (ß, é)'


HOSTILE = "Zellen_1: 50 % & größe #2 {x}"
FOLDS = "training/cells/subject_folds/simple_cnn"
RESULTS = "results/mine"
EXTERNAL = "external/cells/subject_folds/simple_cnn/others"


def experiment():
    """Two protocols, one of them with an external test, and two slides."""
    config = small_experiment(
        name="mine",
        title=HOSTILE,
        slides={"tile_size": 64, "demo": {"slides": 2, "size": [256, 256]}},
        measure_speed=True,
        watts=200,
    )
    config["datasets"]["others"] = dict(config["datasets"]["cells"])
    config["datasets"]["cells"]["title"] = HOSTILE
    [both] = config["experiments"]
    config["experiments"] = [
        both | {"protocols": ["holdout"]},
        both | {"protocols": ["subject_folds"], "external_test": ["others"]},
    ]
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Runs the workflow with environments from a stand-in conda."""
    programs = stand_in_conda.install(tmp_path_factory.mktemp("conda"))
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run_in(folder, *arguments, config=None):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", path)
            config = config or experiment()
            return snakemake(folder, *arguments, "--sdm", "conda", config=config)

    return run_in


@pytest.fixture(scope="module")
def finished(tmp_path_factory, run):
    """The folder of a finished experiment in which one file is damaged."""
    folder = tmp_path_factory.mktemp("experiment")
    raw = folder / "resources" / "raw"
    rows = write_cells(raw / "cells", subjects=4, each=6, awkward=AWKWARD)
    damaged = raw / "cells" / rows[0][0]
    damaged.write_bytes(damaged.read_bytes()[:40])
    write_cells(raw / "others", subjects=2, each=3)
    whole = run(folder)
    assert whole.returncode == 0, whole.stdout
    return folder, rows, whole.stdout


def read(folder, *path):
    return pd.read_csv(folder.joinpath(RESULTS, *path), sep="\t", keep_default_na=False)


def test_bad_image_is_rejected_with_its_reason(finished):
    folder, rows, _ = finished
    rejected = read(folder, "datasets", "cells", "rejected.tsv")
    assert rejected["file"].tolist() == [rows[0][0]]
    assert rejected["reason"].iloc[0] != ""
    manifest = read(folder, "datasets", "cells", "manifest.tsv")
    assert sorted(manifest["file"]) == sorted(row[0] for row in rows[1:])
    images = np.load(folder / RESULTS / "datasets" / "cells" / "images.npy")
    assert images.shape == (47, 20, 20, 3)


def test_everything_is_below_folders_of_the_experiment_s_name(finished):
    folder, _, _ = finished
    for kind in ("results", "logs", "benchmarks"):
        assert [path.name for path in (folder / kind).iterdir()] == ["mine"]
    assert json.loads((folder / RESULTS / "experiment.json").read_text("utf-8"))["layout"] == 2
    costs = read(folder, "tables", "compute_cost.tsv")
    # Benchmark files are found there too.
    assert {"train_model", "import_dataset", "audit_dataset"} <= set(costs["job"])
    energy = costs["device_hours"].astype(float) * 200 / 1000
    assert costs["estimated_kwh"].astype(float).tolist() == pytest.approx(energy.tolist(), abs=1e-4)


def test_the_network_has_its_cost(finished):
    folder, _, _ = finished
    [network] = read(folder, "tables", "network_cost.tsv").to_dict("records")
    # 20x20 images: convolutions without padding on 18x18, 7x7 and 1x1 places; two dense layers.
    products = 18**2 * 27 * 32 + 7**2 * 9 * 32 * 64 + 9 * 64 * 128 + 128 * 128 + 128
    assert network["multiply_adds_millions"] == round(products / 1e6, 3)
    assert network["parameters"] == network["trained_parameters"]
    assert network["latency_ms"] > 0
    measured = read(folder, "costs", "measured.tsv")
    assert measured[["dataset", "model", "device"]].to_numpy().tolist() == [
        ["cells", "simple_cnn", "CPU"]
    ]
    # Counts are the same everywhere, so that nothing measured is among them.
    assert not {"latency_ms", "peak_memory_mb"} & set(read(folder, "costs", "networks.tsv"))
    # One model has no other one to be compared with.
    assert not (folder / RESULTS / "tables" / "cells" / "efficiency.tsv").exists()


def test_the_run_prints_its_plan_and_its_end_and_its_logs_have_the_rest(finished):
    folder, _, output = finished
    [plan] = re.findall(r"(?s)(  data  .*?--verbose prints every job)", output)
    assert f"{HOSTILE}: images counted by the import, subjects known after the import" in plan
    assert "runs (1 data set, 2 protocols, 1 model), 3 folds in all" in plan
    assert "not known before the first run; make estimate CONFIG=" in plan
    assert re.search(r"^\d+ jobs in \d", output, re.MULTILINE)
    assert "epoch 1/1: loss" not in output
    assert "Finished jobid" not in output
    logs = "".join(path.read_text("utf-8") for path in folder.glob("logs/mine/train_*/**/*.log"))
    assert "cells/holdout/simple_cnn/fold-0: epoch 1/1: loss" in logs
    assert "cpu_feature_guard" not in logs
    seconds = json.loads((folder / "benchmarks/mine/seconds.json").read_text("utf-8"))["seconds"]
    assert all(value > 0 for value in seconds.values())
    assert any(name.startswith("train_model/cells/holdout") for name in seconds)


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


def test_a_sensitivity_has_one_interval_wherever_it_is_printed(finished):
    folder, _, _ = finished
    place = ("evaluation", "cells", "subject_folds", "simple_cnn")
    quoted = read(folder, *place, "intervals.tsv").query("view == 'pooled' and recommended")
    points = read(folder, *place, "operating_points.tsv").query("scope == 'pooled'")
    [point] = points[points["operating_point"] == "threshold-0.5"].to_dict("records")
    for metric in ("sensitivity", "specificity", "accuracy"):
        [row] = quoted[quoted["metric"] == metric].to_dict("records")
        ends = [float(row[end] or "nan") for end in ("lower", "upper")]
        found = [float(point[f"{metric}_{end}"] or "nan") for end in ("lower", "upper")]
        # Where no group spreads, the results take images as independent, and say so.
        same = "images_instead_of_groups" in row["note"] or found == pytest.approx(ends)
        assert same, (metric, ends, found)


def test_trivial_baselines_are_next_to_the_networks(finished):
    folder, _, _ = finished
    results = read(folder, "tables", "cells", "results.tsv")
    for protocol in ("holdout", "subject_folds"):
        models = results.loc[results["protocol"] == protocol, "model"].unique().tolist()
        assert models == ["simple_cnn", *BASELINES]
    table = read(folder, "tables", "cells", "baselines.tsv")
    # Dark discs of two sizes on one ground: the mean colour shows the class, the ground does not.
    values = table.query("metric == 'auc' and protocol == 'subject_folds'")
    values = values.set_index("baseline")["baseline_value"].astype(float)
    assert values["mean_colour"] > 0.95
    assert values["cell_size"] > 0.95
    assert values["background"] < 0.8
    tested = read(folder, "baselines", "cells", "subject_folds", "cell_size", "predictions.tsv")
    assert values["cell_size"] == pytest.approx(
        roc_auc_score(tested["label"], tested["probability_blast"].astype(float))
    )


def test_an_evaluation_puts_the_folds_together_as_they_are(finished):
    folder, _, _ = finished
    training, evaluation = (
        folder / RESULTS / kind / "cells/subject_folds/simple_cnn"
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
    place = folder / RESULTS / "training" / "cells" / "holdout" / "simple_cnn" / "fold-0"
    record = json.loads((place / "run.json").read_text("utf-8"))
    summary = json.loads((folder / RESULTS / "datasets/cells/dataset.json").read_text("utf-8"))
    assert record["digests"]["images"] == summary["images_sha256"]
    assert record["digests"]["manifest"] == summary["manifest_sha256"]
    assert (
        record["images"]["train"] + record["images"]["validation"] + record["images"]["test"]
        == summary["images"]
    )


def test_mean_image_was_fitted_on_the_training_images_of_the_run(finished):
    folder, _, _ = finished
    path = folder / RESULTS / "mean_images/cells/subject_folds.json"
    for fold, record in enumerate(json.loads(path.read_text("utf-8"))):
        run = json.loads(
            (
                folder / f"{RESULTS}/training/cells/subject_folds/simple_cnn/fold-{fold}/run.json"
            ).read_text()
        )
        assert record["fitted_on"] == run["trained_on"]


def test_every_rule_ran_in_the_environment_of_its_stage(finished):
    folder, _, _ = finished
    created = {path.read_text("utf-8") for path in (folder / ".snakemake/conda").glob("*.yaml")}
    every = {path.stem: path.read_text("utf-8") for path in REPOSITORY.glob("envs/*.yaml")}
    # This experiment has no photographs: nothing is detected, judged or applied to them.
    others = {"judging", "smears", "smear_pages"}
    assert created == {text for name, text in every.items() if name not in others}


def test_every_image_of_the_other_data_set_is_predicted_by_every_fold(finished):
    folder, _, _ = finished
    mean = read(folder, EXTERNAL, "predictions.tsv").set_index("image_id")
    networks = read(folder, EXTERNAL, "networks.tsv")
    assert len(mean) == 2 * 2 * 3
    assert networks.groupby("image_id")["fold"].agg(list).tolist() == [[0, 1]] * len(mean)
    expected = networks.groupby("image_id")["probability_blast"].mean()
    assert mean["probability_blast"].to_dict() == pytest.approx(expected.to_dict())


def test_external_table_shows_both_tests_and_nothing_was_fitted_on_the_other_data_set(finished):
    folder, _, _ = finished
    table = read(folder, "tables", "external_test.tsv")
    assert table["tested"].tolist() == ["same data set", "other data set", "other data set"]
    assert table["networks"].tolist() == [
        "single networks",
        "single networks",
        "mean of 2 networks",
    ]
    assert table["images"].tolist() == [47, 12, 12]
    predictions = read(folder, EXTERNAL, "predictions.tsv")
    positive = predictions["probability_blast"] >= 0.5
    accuracy = (positive == (predictions["label"] == 1)).mean()
    assert float(table["accuracy"].iloc[2]) == pytest.approx(accuracy)
    single = read(folder, EXTERNAL, "networks.tsv")
    right = (single["probability_blast"] >= 0.5) == (single["label"] == 1)
    assert float(table["accuracy"].iloc[1]) == pytest.approx(right.mean())
    assert not (folder / RESULTS / "mean_images/others").exists()
    assert not (folder / RESULTS / "folds/others").exists()


def test_the_other_data_set_is_described(finished):
    folder, _, _ = finished
    assert read(folder, "tables", "datasets.tsv")["dataset"].tolist() == ["cells", "others"]


def test_publication_holds_what_was_computed(finished):
    folder, _, _ = finished
    pack = folder / RESULTS / "publication"
    checklists = {
        f"checklist_{name}.{end}" for name in ("claim", "tripod_ai") for end in ("md", "tsv")
    }
    assert {path.name for path in pack.iterdir()} == checklists | {
        *("methods.md", "methods.tex", "provenance.json", "main.tex", "supplement.tex"),
        *("tables", "figures"),
    }
    text = (pack / "methods.md").read_text("utf-8")
    assert "comprised 47 images (23 normal and 24 blast) of 8 subjects" in text
    assert "3 trainings on a CPU" in text
    assert r"Zellen\_1: 50 \% \& größe \#2 \{x\}" in (pack / "methods.tex").read_text("utf-8")
    assert (pack / "figures" / "cells-subject_folds-roc.pdf").is_file()
    assert (pack / "tables" / "cells-subject_folds-simple_cnn.tex").is_file()
    main, supplement = (
        (pack / f"{name}.tex").read_text("utf-8") for name in ("main", "supplement")
    )
    document = main + supplement
    assert main.count("tables/") <= 3
    assert "{tables/cells-quoted.tex}" in main
    assert r"\section*{Results}" in main
    # Snakemake keeps a hidden time stamp in both folders.
    files = [path for kind in ("tables", "figures") for path in (pack / kind).glob("[!.]*")]
    assert len(files) > 15
    assert all(f"{{{path.parent.name}/{path.name}}}" in document for path in files)
    provenance = json.loads((pack / "provenance.json").read_text("utf-8"))
    records = folder.glob(f"{RESULTS}/training/cells/*/simple_cnn/fold-*/run.json")
    seeds = {json.loads(path.read_text("utf-8"))["seed"] for path in records}
    assert {entry["seed"] for entry in provenance["runs"]} == seeds
    assert len(provenance["runs"]) == 3
    assert provenance["missing"] == []


def test_the_page_agrees_with_the_tables(finished):
    folder, _, output = finished
    place = folder / RESULTS
    page = (place / "index.html").read_text("utf-8")
    assert f"The answer: {(place / 'index.html').as_uri()}" in output
    links = {unquote(link) for link in re.findall(r'href="((?:tables|figures)/[^"]*)"', page)}
    assert {link for link in links if not (place / link).is_file()} == set()
    assert {f"tables/{name}.tsv" for name in ("leakage", "datasets", "external_test")} <= links
    intervals = read(folder, "evaluation", "cells", "subject_folds", "simple_cnn", "intervals.tsv")
    chosen = intervals.query("view == 'pooled' and metric == 'auc' and recommended == True")
    [row] = chosen.to_dict("records")
    assert f"reaches an AUC of {100 * float(row['value']):.1f} %" in page
    answer = re.sub(r"\\(.)", r"\1", (place / "answer.rst").read_text("utf-8"))
    text = html.unescape(re.sub(r"<[^>]*>", " ", re.sub(r"</?a\b[^>]*>", "", page)))
    assert " ".join(answer.removeprefix("* ").split()) in " ".join(text.split())
    assert html.escape(HOSTILE, quote=False) in page
    assert "1 rejected file" in page
    cells = json.loads(page.partition('id="gallery-cells">')[2].partition("</script>")[0])
    assert len(cells["names"]) == 47 + 12
    assert len(cells["series"]) == 3


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_the_page_opens_in_a_browser_without_errors(finished, tmp_path):
    folder, _, _ = finished
    shown, messages = open_page(folder / RESULTS / "index.html", tmp_path)
    assert messages == []
    assert "47 of 47 cells" in shown
    assert "undefined cells" not in shown


def test_nothing_is_computed_twice(finished, run):
    folder, _, _ = finished
    again = run(folder, "--dry-run")
    assert "Nothing to be done" in again.stdout


def test_a_changed_setting_runs_what_depends_on_it_alone(finished, run):
    folder, _, _ = finished
    config = experiment()
    config["models"]["simple_cnn"]["title"] = "A new name"
    jobs = planned_jobs(run(folder, "--dry-run", config=config))
    assert "train_model" not in jobs
    assert jobs["describe_results"] == 1
    config["models"]["simple_cnn"]["learning_rate"] = 0.01
    jobs = planned_jobs(run(folder, "--dry-run", config=config))
    assert jobs["train_model"] == 3
    assert "import_dataset" not in jobs
    assert "assign_folds" not in jobs


def test_tables_and_publication_need_no_raw_data_no_network_and_no_tensorflow(finished, run):
    folder, _, _ = finished
    (folder / RESULTS / "tables" / "cells" / "results.tsv").unlink()
    absent = [folder / "resources", *folder.glob(f"{RESULTS}/training/**/model.keras")]
    assert len(absent) == 4
    for path in absent:
        path.rename(path.with_suffix(".elsewhere"))
    try:
        again = run(folder, "tables", "publication")
        planned = run(folder, "publication", "--dry-run", "--forcerun", "evaluate_model")
    finally:
        for path in absent:
            path.with_suffix(".elsewhere").rename(path)
    assert again.returncode == 0, again.stdout
    assert "rule train_model" not in again.stdout
    assert (folder / RESULTS / "tables" / "cells" / "results.tsv").is_file()
    rules = stage_rules()
    environments = {rules[name][1] for name in planned_jobs(planned) if name in rules}
    assert REPOSITORY / "envs" / "evaluation.yaml" in environments
    for environment in environments:
        assert not {"tensorflow", "keras"} & set(read_environment(environment))


def test_report_holds_every_category(finished, run):
    folder, _, _ = finished
    made = run(folder, "--report", "report.html")
    assert made.returncode == 0, made.stdout
    report = (folder / "report.html").read_text("utf-8")
    for category in ("Data sets", "Training", "Evaluation", "Comparison", "Audit"):
        assert f'"{category}"' in report
    # No data set of this experiment reproduces a publication.
    assert '"Reproduction"' not in report


@pytest.mark.skipif(find_browser() is None, reason="no Chromium is installed")
def test_report_opens_in_a_browser_without_errors(finished, tmp_path):
    folder, _, _ = finished
    shown, messages = open_page(folder / "report.html", tmp_path)
    # Snakemake's own page asks for another edition of its style sheet.
    assert [message for message in messages if "cdn.tailwindcss.com" not in message] == []
    assert "Results Answer Audit Comparison Data sets Evaluation Publication" in shown
    # The answer comes first.
    sentence = (folder / RESULTS / "answer.rst").read_text("utf-8").splitlines()[0]
    assert "This report compares" in shown.partition(sentence[2:60].partition("\\")[0])[2]
    assert "Zellen_1: 50 % &amp; größe #2 {x}" in shown
