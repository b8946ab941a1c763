"""What the workflow plans, and what it says before anything is computed."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from support.repository import SCHEMA
from support.smears import write_image
from support.splits import images_of
from support.touching_smears import draw_smear
from support.workflow import (
    REPOSITORY,
    planned_jobs,
    run_snakemake,
    small_experiment,
    snakemake,
    write_cells,
    write_sheet,
)

from blastfold.core.manifest import read_manifest
from blastfold.experiment.combinations import combinations
from blastfold.experiment.config import check_config
from blastfold.folds.assignment import split
from blastfold.reporting.tables.reproduction import printed_values, read_published

DEFAULT = REPOSITORY / "config.yaml"
THESIS = REPOSITORY / "config" / "thesis.yaml"
README = REPOSITORY / "README.md"


def test_default_experiment_is_planned(tmp_path):
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=DEFAULT))
    # The simple CNN on smears and grown smears under two protocols each. By subject the
    # transferred one, the same network again and two light ones, and both arms of the leak
    # contrast. All folds are one job; a source task has one fold.
    assert jobs["train_folds"] == 2 * 2 + 4 + 2
    assert jobs["train_model"] == 1
    assert jobs["train_permuted_heads"] == 2
    # One frozen backbone under two protocols and another one by subject: features of each split in
    # one job, heads of all folds in one job. The tiles are selected by other features.
    assert jobs["train_heads"] == 2 + 1
    assert jobs["extract_features"] == 2 + 1 + 1
    assert jobs["select_tiles"] == jobs["export_backbone"] == 1
    assert jobs["tile_slide"] == jobs["generate_slide"] == 4
    # Two splits of the smears and of the grown ones; one of tiles; both arms of the leak contrast.
    assert jobs["compute_mean_images"] == 2 * 2 + 1 + 2
    assert jobs["evaluate_model"] == 2 + 7 + 2 + 1 + 2
    # All networks are measured in one job, and the smears alone have several models.
    assert jobs["measure_networks"] == jobs["describe_efficiency"] == 1
    # Another laboratory's smears are for the external test alone.
    assert jobs["generate_demo"] == jobs["import_dataset"] == 2
    assert jobs["grow_dataset"] == jobs["apply_models"] == 1
    # One job explains all models of a split.
    assert jobs["explain_networks"] == jobs["describe_attribution"] == 1
    assert jobs["audit_dataset"] == 4
    # Tiles and smears (transfer), smears and the other laboratory's (external test).
    assert jobs["compare_datasets"] == 2
    assert jobs["audit_split"] == jobs["assign_folds"] == 7
    assert jobs["tabulate_identity"] == 1
    assert "download_weights" not in jobs
    assert jobs["export_networks"] == jobs["describe_export"] == 1
    # The exported network is applied to the photographs of the other laboratory.
    assert jobs["detect_smear_cells"] == jobs["classify_cells"] == 1
    assert jobs["draw_overlays"] == jobs["write_smears_page"] == jobs["judge_smear_cells"] == 1


def test_catalogue_entry_plans_the_same(tmp_path):
    entry = str(REPOSITORY / "workflow" / "Snakefile")
    other = snakemake(tmp_path, "--dry-run", "--snakefile", entry, config=DEFAULT)
    # The catalogue's file has a target of its own in place of `all`.
    assert planned_jobs(other)["train_folds"] == 10
    assert planned_jobs(other)["everything"] == 1


def test_the_catalogue_s_config_is_that_of_the_default_experiment():
    # The catalogue and snakedeploy look for it there.
    twin = REPOSITORY / "config" / "config.yaml"
    assert twin.read_bytes() == (REPOSITORY / "config.yaml").read_bytes()


def draw_published_folders(raw):
    """Files with the names and in the numbers of the published data sets, without pixels."""
    names = [f"all_idb2/img/Im{number:03d}_{int(number <= 130)}.tif" for number in range(1, 261)]
    names += [f"all_idb1/im/Im{number:03d}_{int(number <= 49)}.jpg" for number in range(1, 109)]
    for fold, counts in enumerate([(2397, 1130), (2418, 1163), (2457, 1096)]):
        for word, letter, count in zip(("all", "hem"), ("", "H"), counts, strict=True):
            # Fifty cells of one subject; no subject is in two folds.
            names += [
                f"c_nmc_2019/fold_{fold}/{word}/"
                f"UID_{letter}{100 * fold + cell // 50}_{cell % 50}_1_{word}.bmp"
                for cell in range(count)
            ]
    parts = [f"pcam/camelyonpatch_level_2_split_{part}" for part in ("train", "valid", "test")]
    names += [f"{part}_{array}.h5" for part in parts for array in "xy"]
    for folder in {(raw / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (raw / name).write_text(name)


def test_thesis_experiment_is_planned_when_the_data_are_there(tmp_path):
    draw_published_folders(tmp_path / "resources" / "raw")
    run = snakemake(tmp_path, "--dry-run", config=THESIS)
    jobs = planned_jobs(run)
    # ALL-IDB2: 1 + 10 folds of the thesis, and 10 by group; C-NMC: 1 + 10, and 3 by subject. Three
    # models of the thesis, three others without its ten folds, three with more epochs, two sources.
    assert jobs["train_model"] == 3 * (21 + 14) + 3 * (11 + 4) + 3 + 2
    said = re.search(r"about (\d+) jobs, of which (\d+) are trainings", README.read_text("utf-8"))
    assert int(said[2]) == jobs["train_model"]
    assert int(said[1]) == pytest.approx(jobs["total"], rel=0.05)
    assert not {"train_heads", "extract_features"} & set(jobs)
    assert jobs["export_backbone"] == jobs["download_weights"] == 2
    assert jobs["import_dataset"] == 3
    assert jobs["grow_dataset"] == 1
    # Of every run what sections 5.2 to 5.4 print; of both data sets what compares the models.
    runs = 3 * (3 + 3) + 3 * (2 + 2) + 3 + 2
    assert jobs["evaluate_model"] == jobs["describe_model"] == runs
    for name in PRODUCTS_OF_THE_THESIS:
        assert f"results/thesis/{name}" in run.stdout, name


PRODUCTS_OF_THE_THESIS = [
    # Tables 2.1, 4.1 and 5.1 to 5.9, and every printed value.
    *(f"tables/{name}.md" for name in ("literature", "datasets", "splits", "reproduction")),
    *(f"tables/{dataset}/results.md" for dataset in ("all_idb2_grown", "c_nmc_2019")),
    *(
        f"tables/{dataset}/{protocol}/{model}.md"
        for dataset in ("all_idb2_grown", "c_nmc_2019")
        for protocol in ("holdout", "ten_folds")
        for model in ("densenet169", "vgg19", "simple_cnn")
    ),
    # Section 5.2.
    *(
        f"tables/{dataset}/holdout/{model}/classification_report.md"
        for dataset in ("all_idb2_grown", "c_nmc_2019")
        for model in ("densenet169", "vgg19", "simple_cnn")
    ),
    # Figures 1.1 and 4.1 to 4.4, 4.6 to 4.8, 5.1 to 5.18, 5.19 and 5.20, 5.21.
    *(
        f"figures/{dataset}/{name}.pdf"
        for dataset in ("all_idb2_grown", "c_nmc_2019")
        for name in (
            *("example_images", "class_distribution", "accuracy_comparison"),
            *(f"architectures/{model}" for model in ("densenet169", "vgg19", "simple_cnn")),
            *(
                f"holdout/{model}/{figure}"
                for model in ("densenet169", "vgg19", "simple_cnn")
                for figure in ("training_curves", "confusion_matrix")
            ),
            "holdout/roc",
        )
    ),
    "figures/all_idb2_grown/augmented_images.pdf",
    "figures/literature_comparison.pdf",
    # Figures 4.5 and 4.9.
    "figures/transfer.pdf",
]
"""Files that hold the tables and figures of the thesis (docs/thesis.md)."""


def test_every_printed_value_of_the_thesis_has_a_run():
    given = check_config(yaml.safe_load(THESIS.read_text("utf-8")), SCHEMA)
    published = read_published(REPOSITORY / "resources" / "published_results.tsv")
    printed = printed_values(published)
    runs = {
        (given["datasets"][dataset]["reproduces"], model)
        for dataset, protocol, model in combinations(given)
        if protocol == "holdout"
    }
    assert len(printed) > 24
    assert set(zip(printed["dataset"], printed["model"], strict=True)) <= runs


def test_splits_of_the_thesis_have_its_counts():
    """The config's own protocol on tables with the published numbers of images."""
    given = check_config(yaml.safe_load(THESIS.read_text("utf-8")), SCHEMA)
    grow = given["datasets"]["all_idb2_grown"]["grow"]
    published = {"normal": 1130 + 1163 + 1096, "blast": 2397 + 2418 + 2457}
    for counts, expected in ((grow, (1562, 417, 104)), (published, (7996, 2133, 532))):
        classes = [("healthy", 0, counts["normal"]), ("ill", 1, counts["blast"])]
        holdout = given["protocols"]["holdout"] | {"name": "holdout"}
        table = split(images_of(classes), holdout, given["seed"])
        found = table["role"].value_counts()
        assert tuple(found[["train", "test", "validation"]]) == expected


def test_thesis_experiment_names_the_missing_folder(tmp_path):
    for name in ("all_idb1", "all_idb2"):
        (tmp_path / "resources" / "raw" / name).mkdir(parents=True)
    run = snakemake(tmp_path, "--dry-run", config=REPOSITORY / "config" / "thesis.yaml")
    assert run.returncode != 0
    assert "the folder resources/raw/c_nmc_2019 does not exist" in run.stdout
    assert "resources/README.md" in run.stdout


def test_missing_weights_file_is_named(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = small_experiment()
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["models"]["simple_cnn"] = {
        **{"architecture": "vgg19", "weights": "resources/lost.h5", "preprocessing": "imagenet"}
    }
    run = snakemake(tmp_path, "--dry-run", config=config)
    assert run.returncode != 0
    assert "models.simple_cnn.weights: the file resources/lost.h5 does not exist" in run.stdout


def test_a_stage_can_be_asked_for_alone(tmp_path):
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", "folds", config=DEFAULT))
    # Two protocols each for the smears and the grown smears; one for tiles; both arms of the leak
    # contrast.
    assert jobs["assign_folds"] == 2 * 2 + 1 + 2
    assert not {"train_model", "train_folds"} & set(jobs)
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", "models", config=DEFAULT))
    assert (jobs["train_folds"], jobs["train_model"]) == (10, 1)
    assert "evaluate_model" not in jobs


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sead": 3}, "sead: unknown key; did you mean 'seed'?"),
        ({"seed": "three"}, "seed: received 'three', expected integer"),
        (
            {"models": {"simple_cnn": {"architecture": "InceptionV3"}}},
            "InceptionV3 cannot take images of 20x20 pixels; expected at least 75x75",
        ),
        ({"models": {"simple_cnn": {"architecture": "vgg91"}}}, "'vgg91'; did you mean VGG19?"),
    ],
)
def test_bad_config_is_reported_at_once(tmp_path, changes, expected):
    run = snakemake(tmp_path, "--dry-run", config=small_experiment(**changes))
    assert run.returncode != 0
    assert expected in run.stdout
    assert "experiment.yaml is not valid" in run.stdout


def test_a_key_that_is_there_twice_is_reported_at_once(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(small_experiment()) + "seed: 3\nseed: 4\n", "utf-8")
    lines = path.read_text("utf-8").count("\n")
    run = snakemake(tmp_path, "--dry-run", config=path)
    assert run.returncode != 0
    assert f"seed: in line {lines - 1} and again in line {lines}" in run.stdout
    assert "Traceback" not in run.stdout


def test_a_default_config_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(small_experiment()), "utf-16")
    words = ("--dry-run", "--cores", "1", "--snakefile", REPOSITORY / "Snakefile")
    run = run_snakemake(tmp_path, *words)
    assert run.returncode != 0
    assert "'config.yaml' is UTF-16 text; expected UTF-8" in run.stdout
    assert "Traceback" not in run.stdout


def break_label(folder, rows):
    write_sheet(folder, [(rows[0][0], "", rows[0][2]), *rows[1:]])


def break_class(folder, rows):
    write_sheet(folder, [row for row in rows if row[1] == "normal"])


def break_identity(folder, rows):
    shutil.copy(folder / rows[0][0], (folder / rows[0][0]).with_suffix(".jpg"))
    write_sheet(folder, [*rows, (rows[0][0].replace(".png", ".jpg"), *rows[0][1:])])


def break_column(folder, rows):
    write_sheet(folder, rows, columns=("path", "diagnosis", "subject"))


def break_path(folder, rows):
    (folder / rows[3][0]).unlink()


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (break_label, ["sheet.tsv", "label"]),
        (break_class, ["blast"]),
        (break_identity, ["cell normal 0-0.png", "cell normal 0-0.jpg"]),
        (break_column, ["sheet.tsv", "label", "diagnosis"]),
        (break_path, ["cell normal 0-3.png"]),
    ],
)
def test_bad_data_stop_the_run_before_training(tmp_path, broken, expected):
    folder = tmp_path / "resources" / "raw" / "cells"
    broken(folder, write_cells(folder))
    run = snakemake(tmp_path, config=small_experiment())
    assert run.returncode != 0
    for text in expected:
        assert text in run.stdout
    assert not (tmp_path / "results" / "training").exists()
    assert "Traceback" not in run.stdout


def test_protocol_that_is_impossible_names_what_would_work(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells", subjects=3)
    config = small_experiment()
    config["protocols"]["subject_folds"]["folds"] = 10
    run = snakemake(tmp_path, "folds", config=config)
    assert run.returncode != 0
    assert "10 folds by subject are needed" in run.stdout
    assert "only 3 subjects" in run.stdout
    assert "set folds: 3 at most" in run.stdout
    assert "Traceback" not in run.stdout


def test_a_command_names_the_network_to_export(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = small_experiment()
    words = ("export", "--dry-run", "--config", "model=simple_cnn")
    run = snakemake(tmp_path, *words, config=config)
    # All folds of the protocol that keeps subjects together, and no other protocol.
    jobs = planned_jobs(run)
    assert jobs["export_networks"] == jobs["describe_export"] == jobs["evaluate_model"] == 1
    assert jobs["train_model"] == 2
    assert "export/cells/subject_folds/simple_cnn/all_folds/model_card.md" in run.stdout
    run = snakemake(tmp_path, *words, "protocol=holdout", "fold=1", config=config)
    assert run.returncode != 0
    assert "export.fold: received 1, but holdout has 1 folds" in run.stdout
    assert "Traceback" not in run.stdout


def test_derived_data_sets_are_planned(tmp_path):
    leakage = REPOSITORY / "config" / "leakage_demo.yaml"
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=leakage))
    assert jobs["generate_demo"] == jobs["import_dataset"] == jobs["grow_dataset"] == 1
    assert jobs["permute_labels"] == 2
    # Labels change nothing about what images have in common.
    assert jobs["audit_dataset"] == 2
    # By image and by group; then twice for true and two kinds of labels; two leak contrasts of two
    # arms. All repeats and folds are one job.
    assert jobs["train_folds"] == 2 + 2 * 3 + 2 * 2
    assert jobs["tabulate_canaries"] == 1
    write_cells(tmp_path / "resources" / "raw" / "cells")
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=small_experiment()))
    assert not {"grow_dataset", "permute_labels", "tabulate_canaries"} & set(jobs)


def with_selected(method):
    config = small_experiment()
    select = {"method": method, "share": 0.5}
    config["datasets"]["chosen"] = {"format": "selected", "of": "cells", "select": select}
    config["experiments"][0]["datasets"] = ["cells", "chosen"]
    return config


def test_selected_data_set_and_one_of_photographs_are_planned_and_made(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = with_selected("random")
    smears = {"format": "photographs", "sheet": "cells.csv", "image_size": [20, 20]}
    config["datasets"]["smears"] = smears | {"detector": {"red_cell_diameter": 33}}
    raw, rows = tmp_path / "resources" / "raw" / "smears", ["path,x,y,label"]
    for number, label in enumerate(("normal", "blast")):
        picture, centres = draw_smear(number, 4.4, (70, 93), alone=3, pairs=0)
        write_image(raw / f"{label}.png", picture)
        rows += [f"{label}.png,{x:.0f},{y:.0f},{label}" for x, y in centres.tolist()]
    (raw / "cells.csv").write_text("\n".join(rows))
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=config))
    assert jobs["select_tiles"] == jobs["import_dataset"] == 1
    assert jobs["audit_dataset"] == 2
    assert "plot_selected_tiles" not in jobs
    targets = ("results/datasets/chosen/groups.tsv", "results/datasets/smears/manifest.tsv")
    targets += ("results/tables/smears/detection.tsv",)
    run = snakemake(tmp_path, *targets, config=config)
    assert run.returncode == 0, run.stdout
    manifest = read_manifest(tmp_path / "results" / "datasets" / "smears" / "manifest.tsv")
    assert len(manifest) == 2 * len(centres)
    assert set(manifest["class"]) == {"normal", "blast"}
    judged = pd.read_csv(tmp_path / targets[-1], sep="\t")
    assert judged["found"].tolist() == [6, 3, 3]
    # The scale is part of what the cells are computed from.
    config["datasets"]["smears"]["detector"]["red_cell_diameter"] = 31
    again = planned_jobs(snakemake(tmp_path, "--dry-run", *targets, config=config))
    assert again["detect_cells"] == again["import_dataset"] == again["judge_cells"] == 1
    images = np.load(tmp_path / "results" / "datasets" / "chosen" / "images.npy")
    # Two of the four cells of each of eight subjects.
    assert images.shape == (16, 20, 20, 3)


def test_discriminative_selection_scores_by_features_of_its_base(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = with_selected("discriminative")
    config["datasets"]["cells"]["image_size"] = [32, 32]
    config["datasets"]["chosen"]["select"]["architecture"] = "vgg16"
    target = "results/datasets/chosen/tiles_selected.tsv"
    run = snakemake(tmp_path, target, config=config)
    assert run.returncode == 0, run.stdout
    [features] = (tmp_path / "results" / "features" / "cells").glob("vgg16-*/shared/shared.npy")
    assert np.load(features).shape == (1, 32, 512)
    table = pd.read_csv(tmp_path / target, sep="\t")
    assert table["score"].between(0, 1).all()
    assert table["kept"].sum() == 16


def test_stain_normalisation_is_planned_and_made(tmp_path):
    write_cells(tmp_path / "resources" / "raw" / "cells")
    config = small_experiment()
    config["models"]["stained"] = {"architecture": "simple_cnn", "epochs": 1, "stain": "reinhard"}
    config["experiments"][0]["models"] = ["simple_cnn", "stained"]
    jobs = planned_jobs(snakemake(tmp_path, "--dry-run", config=config))
    # One for each split; canaries and models without it need none.
    assert jobs["fit_stain"] == 2
    assert jobs["plot_stain"] == 2
    targets = [
        "results/stain/cells/subject_folds/reinhard.npy",
        "results/figures/cells/subject_folds/stain_reinhard.png",
    ]
    run = snakemake(tmp_path, *targets, config=config)
    assert run.returncode == 0, run.stdout
    assert np.load(tmp_path / targets[0]).shape == (2, 20, 20, 3)
    assert (tmp_path / targets[1]).stat().st_size > 10_000
