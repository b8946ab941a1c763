"""What a config asks for, and from which files: values for small configs."""

import re
from pathlib import Path

import pytest
import yaml
from snakemake.iocontainers import Wildcards
from support.repository import REPOSITORY, SCHEMA

from blastfold.core.errors import InputError
from blastfold.core.settings import FeatureSettings
from blastfold.experiment.config import check_config
from blastfold.experiment.experiment import Experiment, one_of
from blastfold.experiment.feature_sets import feature_set_name
from blastfold.experiment.runs import Run, Runs, Split
from blastfold.experiment.targets import ENDINGS, WILDCARDS, Product

SLIDE_SCHEMA = SCHEMA.with_name("slides.schema.yaml")


def make(results="results", **changes):
    config = {
        "datasets": {
            "cells": {"format": "folder", "title": "Cells"},
            "smears": {"format": "demo", "title": "Smears"},
        },
        "protocols": {
            "holdout": {"kind": "holdout", "title": "Hold-out"},
            "folds": {"kind": "kfold", "folds": 3, "group_by": "subject", "title": "Folds"},
        },
        "models": {
            "cnn": {"architecture": "simple_cnn", "title": "CNN"},
            "vgg": {"architecture": "vgg16", "weights": "imagenet", "train": "head"},
        },
        "experiments": [
            {"datasets": ["cells"], "protocols": ["holdout", "folds"], "models": ["cnn", "vgg"]}
        ],
    }
    return Experiment.read(check_config(config | changes, SCHEMA), SLIDE_SCHEMA, results)


def asked(datasets=("cells",), protocols=("holdout",), models=("cnn",), **more):
    entry = {"datasets": datasets, "protocols": protocols, "models": models}
    return [{key: list(names) for key, names in entry.items()} | more]


def wildcards(**names):
    return Wildcards(fromdict=names)


RUN = wildcards(dataset="cells", protocol="folds", model="cnn", fold="2")


# Runs.


def test_runs_are_the_product_in_the_order_of_the_config():
    runs = make().runs
    assert runs.asked == [
        ("cells", "holdout", "cnn"),
        ("cells", "holdout", "vgg"),
        ("cells", "folds", "cnn"),
        ("cells", "folds", "vgg"),
    ]
    assert runs.true == runs.shown == runs.asked
    assert runs.splits == runs.shown_splits == [("cells", "holdout"), ("cells", "folds")]
    assert runs.datasets == ["cells"]
    assert runs.models_of("cells") == runs.models_of("cells", "folds") == ["cnn", "vgg"]
    assert runs.models_of("smears") == runs.canaries == runs.external == []
    assert runs.compared_splits == runs.splits
    assert [runs.fold_count(name) for name in ("holdout", "folds")] == [1, 3]
    assert runs.with_fold_counts()[2] == ("cells", "folds", "cnn", 3)


def test_declared_comparisons_are_one_family():
    # A pair of models under each of two protocols, and two models that have both protocols.
    assert make().runs.declared == 2 + 2
    assert make(experiments=asked()).runs.declared == 1
    experiment = make(ablations={"choice": ABLATION}, experiments=asked(protocols=["folds"]))
    plan = experiment.shown.ablation_plan(wildcards(ablation="choice"))
    pairs = 1  # Of the model that is asked for and the reference of the ablation.
    assert experiment.runs.declared == pairs + len(plan["contrasts"])
    assert set(plan["primary"].values()) == {"auc"}
    assert plan["family"] == experiment.runs.declared


@pytest.mark.parametrize(
    ("classes", "declared", "primary"),
    [
        (None, None, "auc"),
        (2, None, "auc"),
        (2, "macro_auc", "auc"),
        (2, "mcc", "mcc"),
        (3, None, "macro_auc"),
        (3, "kappa", "kappa"),
        (3, "auc", "auc"),
    ],
)
def test_the_primary_metric_is_declared_or_that_of_the_classes(classes, declared, primary):
    config = make(experiments=asked()).config
    entry = config["datasets"]["cells"]
    if classes:
        entry = {**entry, "classes": {f"k{place}": [place] for place in range(classes)}}
    datasets = {**config["datasets"], "cells": entry, "derived": {"of": "cells"}}
    runs = Runs({**config, "datasets": datasets, "primary_metric": declared})
    assert runs.primary_of("cells") == runs.primary_of("derived") == primary
    assert runs.has_many_classes("derived") == ((classes or 2) > 2)
    assert bool(runs.classed) == runs.has_many_classes("cells")


def test_classes_that_the_import_finds_are_evaluated_one_by_one_too():
    config = make(experiments=asked()).config
    entry = {**config["datasets"]["cells"], "own_classes": True}
    runs = Runs({**config, "datasets": {**config["datasets"], "cells": entry}})
    assert runs.has_many_classes("cells")
    # Results decide by their number of classes.
    assert runs.primary_of("cells") is None
    runs = Runs({**runs.config, "primary_metric": "kappa"})
    assert runs.primary_of("cells") == "kappa"


def test_a_split_with_one_model_compares_nothing():
    assert make(experiments=asked()).runs.compared_splits == []


def test_canaries_are_runs_that_tables_and_figures_of_their_own_do_not_show():
    runs = make(experiments=asked(canaries=True)).runs
    assert [run.dataset for run in runs.asked] == [
        "cells",
        "cells_labels_permuted_by_subject",
        "cells_labels_permuted_by_image",
    ]
    assert runs.true == runs.shown == [("cells", "holdout", "cnn")]
    assert runs.true_datasets == ["cells"]
    assert [(run["labels"], run["run"]) for run in runs.canaries] == [
        ("true", "cells"),
        ("subject", "cells_labels_permuted_by_subject"),
        ("image", "cells_labels_permuted_by_image"),
    ]
    assert {run["dataset_title"] for run in runs.canaries} == {"Cells"}
    assert {run["group_by"] for run in runs.canaries} == {"image"}


def test_external_tests_have_the_titles_of_both_data_sets():
    datasets = {
        "cells": {"format": "folder", "title": "Cells"},
        "other": {"format": "folder", "title": "Other"},
    }
    runs = make(datasets=datasets, experiments=asked(external_test=["other"])).runs
    [run] = runs.external
    assert (run["dataset"], run["external"]) == ("cells", "other")
    assert (run["dataset_title"], run["external_title"]) == ("Cells", "Other")
    assert (runs.datasets, runs.described_datasets) == (["cells"], ["cells", "other"])


def test_external_tests_of_many_classes_have_products_of_all_classes():
    classes = {f"k{place}": [place] for place in range(3)}
    entry = {"format": "folder", "classes": classes, "positive": "k1"}
    datasets = {name: entry for name in ("cells", "other")}
    experiment = make(datasets=datasets, experiments=asked(external_test=["other"]))
    [place] = experiment.targets.places("runs of many classes elsewhere")
    assert place == {"dataset": "cells", "protocol": "holdout", "model": "cnn", "external": "other"}
    assert experiment.targets.places("external tests of many classes") == [{}]
    assert experiment.targets.of_external_classes("record.json") == [
        "<results>/external/cells/holdout/cnn/other/record.json"
    ]
    two = {name: {"format": "folder"} for name in datasets}
    experiment = make(datasets=two, experiments=asked(external_test=["other"]))
    assert experiment.runs.external
    assert experiment.targets.places("external tests of many classes") == []


def test_attributions_are_of_a_split_and_of_every_data_set_that_it_is_tested_on():
    datasets = {name: {"format": "folder"} for name in ("cells", "other")}
    entries = [
        *asked(models=("cnn",), attribution=3, external_test=["other"], canaries=True),
        *asked(models=("vgg",), protocols=("holdout", "folds"), attribution=5),
        *asked(models=("cnn",), protocols=("folds",)),
    ]
    experiment = make(datasets=datasets, experiments=entries)
    assert experiment.runs.attributions == [
        {
            **{"dataset": "cells", "protocol": "holdout", "external": "cells"},
            **{"models": ["cnn", "vgg"], "cells": 5},
        },
        {
            **{"dataset": "cells", "protocol": "holdout", "external": "other"},
            **{"models": ["cnn"], "cells": 3},
        },
        {
            **{"dataset": "cells", "protocol": "folds", "external": "cells"},
            **{"models": ["vgg"], "cells": 5},
        },
    ]
    own, other = (
        wildcards(dataset="cells", protocol="holdout", external=name) for name in ("cells", "other")
    )
    training = "<results>/training/cells/holdout"
    files = experiment.files
    assert files.models_explained(own) == [("cnn", 1, 1), ("vgg", 1, 1)]
    # Heads alone have no networks, which are assembled for this.
    assert files.networks_explained(own) == [
        f"{training}/cnn/fold-0/model.keras",
        f"{training}/vgg/networks",
    ]
    assert files.predictions_explained(own) == [
        f"{training}/cnn/fold-0/predictions.tsv",
        f"{training}/vgg/predictions.tsv",
    ]
    assert files.predictions_explained(other) == [
        "<results>/external/cells/holdout/cnn/other/networks.tsv"
    ]


def test_the_gap_starts_with_the_finest_grouping():
    protocols = {
        name: {"kind": "kfold", "folds": 3, "group_by": name}
        for name in ("group", "image", "subject", "picture")
    }
    runs = make(protocols=protocols, experiments=asked(protocols=list(protocols))).runs
    assert [run.protocol for run in runs.gap_of("cells")] == [
        "image",
        "picture",
        "subject",
        "group",
    ]
    assert make(experiments=asked()).runs.gap_of("cells") == []


ABLATION = {
    "model": "cnn",
    "datasets": ["cells"],
    "protocols": ["folds"],
    "vary": {"preprocessing": ["mean_image", "none"], "batch_size": [8, 16]},
    "training_shares": [0.5],
}


def test_an_ablation_shows_its_reference_and_the_whole_training_alone():
    experiment = make(ablations={"choice": ABLATION}, experiments=asked(protocols=["folds"]))
    runs = experiment.runs
    cells = [cell["model"] for cell in runs.cells_of("choice")]
    assert cells == [
        "choice_mean_image_8",
        "choice_mean_image_16",
        "choice_none_8",
        "choice_none_16",
    ]
    assert [run.model for run in runs.shown] == ["cnn", "choice_mean_image_8"]
    assert {run.model for run in runs.true} == {"cnn", *cells}
    assert [(point["trained_under"], point["share"]) for point in runs.curve_of("choice")] == [
        ("folds_share_50", 0.5),
        ("folds", 1),
    ]
    plan = experiment.shown.ablation_plan(wildcards(ablation="choice"))
    assert plan["contrasts"] == [
        ("preprocessing", "none", "mean_image"),
        ("batch_size", "16", "8"),
    ]
    assert plan["datasets"] == ["cells"]
    titles = experiment.shown.ablation_titles(wildcards(ablation="choice"))
    assert titles["level"]["preprocessing"] == {"mean_image": "mean image", "none": "no mean image"}
    assert titles["factor"]["batch_size"] == "Batch size"
    curve = experiment.files.of_ablation("folds/{dataset}/{trained_under}.tsv", runs.curve_of)
    assert curve(wildcards(ablation="choice")) == [
        "<results>/folds/cells/folds_share_50.tsv",
        "<results>/folds/cells/folds.tsv",
    ]
    curves = experiment.targets.places("learning curves")
    assert curves == experiment.targets.places("ablations") == [{"ablation": "choice"}]


def test_described_runs_hold_plain_values():
    runs = make(experiments=asked()).runs
    assert runs.described(runs.shown) == [
        {
            "dataset": "cells",
            "protocol": "holdout",
            "model": "cnn",
            "dataset_title": "Cells",
            "protocol_title": "Hold-out",
            "model_title": "CNN",
            "group_by": "image",
            "reproduces": None,
        }
    ]


# Data sets and slides.


def test_a_missing_raw_folder_is_named_unless_the_images_are_imported(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = wildcards(dataset="cells")
    with pytest.raises(InputError, match=r"raw/cells does not exist.*datasets.cells.path"):
        make(results="results").inputs.raw_digest(cells)
    Path("results/datasets/cells").mkdir(parents=True)
    Path("results/datasets/cells/dataset.json").write_text('{"raw_sha256": "imported"}')
    inputs = make(results="results").inputs
    assert inputs.raw_digest(cells) == "imported"
    assert inputs.generated_folder(cells) == []
    smears = wildcards(dataset="smears")
    assert inputs.generated_folder(smears) == "<results>/demo/smears"
    assert inputs.raw_digest(smears) is None


def test_raw_files_count_by_content_and_not_by_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("resources/raw/cells").mkdir(parents=True)
    Path("resources/raw/cells/1.png").write_bytes(b"one")
    cells = wildcards(dataset="cells")
    first = make().inputs
    digest = first.raw_digest(cells)
    Path("resources/raw/cells").rename("elsewhere")
    moved = make(datasets={"cells": {"format": "folder", "path": "elsewhere"}}).inputs
    assert moved.raw_digest(cells) == digest
    assert moved.import_settings(cells) == first.import_settings(cells)
    assert moved.raw_place(cells).folder == "elsewhere"
    Path("elsewhere/1.png").write_bytes(b"two")
    # A continued run keeps its plan; the import itself looks again.
    assert moved.raw_digest(cells) == digest
    again = make(datasets={"cells": {"format": "folder", "path": "elsewhere"}}).inputs
    assert again.raw_digest(cells) != digest


def test_titles_and_what_no_import_uses_are_no_settings_of_an_import():
    entry = {"format": "folder", "title": "Cells", "reproduces": "C-NMC"}
    inputs = make(datasets={"cells": entry}).inputs
    settings = inputs.import_settings(wildcards(dataset="cells"))
    assert set(settings) <= {"format", "image_size", "crop", "conflicts", "suspicious"}


def test_a_derived_data_set_names_files_of_its_base():
    datasets = {
        "cells": {"format": "folder"},
        "grown": {"format": "grown", "of": "cells", "grow": {"normal": 9, "blast": 9}},
    }
    inputs = make(datasets=datasets).inputs
    file = inputs.of_base("manifest.tsv")
    assert file(wildcards(dataset="grown")) == "<results>/datasets/cells/manifest.tsv"
    assert (inputs.imported, inputs.of_format("grown")) == (["cells"], ["grown"])


def test_generated_slides_and_the_tiles_of_a_data_set():
    datasets = {"tiles": {"format": "tiles", "slides": ["blast-01"]}}
    slides = {"demo": {"slides": 2}}
    experiments = asked(datasets=["tiles"])
    experiment = make(datasets=datasets, slides=slides, experiments=experiments)
    inputs = experiment.inputs
    assert list(inputs.slides) == ["normal-01", "blast-01"]
    blast = wildcards(slide="blast-01")
    assert inputs.generated_slide(blast) == "<results>/demo_slides/blast-01.tif"
    assert inputs.slide_digest(blast) is None
    # Another number of slides draws no slide again.
    assert "slides" not in inputs.demo_slides_settings(blast)
    assert inputs.of_slides("tiles.h5")(wildcards(dataset="tiles")) == [
        "<results>/slides/blast-01/tiles.h5"
    ]
    assert experiment.targets.tiles() == [
        "<results>/slides/normal-01/tiles.tsv",
        "<results>/slides/blast-01/tiles.tsv",
        "<results>/figures/slides/normal-01.png",
        "<results>/figures/slides/blast-01.png",
    ]


def test_a_missing_slide_is_named_unless_it_is_tiled(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("slides.tsv").write_text("slide\tpath\tlabel\tsubject\na\tlost.tif\tnormal\tp\n")
    changes = {"datasets": {"tiles": {"format": "tiles"}}, "slides": {"sheet": "slides.tsv"}}
    changes |= {"experiments": asked(datasets=["tiles"])}
    slide = wildcards(slide="a")
    with pytest.raises(InputError, match=r"slide a: the file lost.tif does not exist"):
        make(**changes).inputs.slide_digest(slide)
    Path("lost.tif").write_bytes(b"slide")
    digest = make(**changes).inputs.slide_digest(slide)
    Path("lost.tif").unlink()
    Path("results/slides/a").mkdir(parents=True)
    Path("results/slides/a/tiles.h5").touch()
    inputs = make(**changes).inputs
    assert inputs.slide_digest(slide) == digest
    assert (inputs.generated_slide(slide), inputs.slide_place(slide).path) == ([], "lost.tif")


def test_labels_and_regions_are_settings_of_the_data_set_of_tiles(tmp_path):
    sheet, regions = tmp_path / "slides.tsv", tmp_path / "regions.tsv"
    sheet.write_text("slide\tpath\tlabel\tsubject\tmpp\na\ta.tif\tnormal\tp\t0.5\n")
    regions.write_text("slide\tlabel\tx\ty\twidth\theight\na\tblast\t1\t2\t3\t4\n")
    slides = {"sheet": str(sheet), "regions": str(regions)}
    inputs = make(
        datasets={"tiles": {"format": "tiles"}},
        slides=slides,
        experiments=asked(datasets=["tiles"]),
    ).inputs
    assert inputs.slide_row("mpp")(wildcards(slide="a")) == {"mpp": 0.5}
    assert inputs.tiles_settings(wildcards(dataset="tiles"))["slides"] == {
        "a": {
            "subject": "p",
            "picture": "a",
            "label": "normal",
            "regions": [{"label": "blast", "x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0}],
        }
    }


def test_a_protocol_with_the_folds_of_another_draws_by_its_name():
    protocols = {
        "folds": {"kind": "kfold", "folds": 3},
        "half": {"kind": "kfold", "folds": 3, "same_folds_as": "folds", "training_share": 0.5},
    }
    experiments = asked(protocols=["folds", "half"])
    inputs = make(protocols=protocols, experiments=experiments).inputs
    whole, half = (inputs.protocol_settings(wildcards(protocol=name)) for name in protocols)
    assert whole["name"] == half["name"] == "folds"
    assert half["training_share"] == 0.5
    assert not {"title", "leakage", "same_folds_as"} & {*whole, *half}


# Training.


def test_a_training_starts_from_what_its_model_needs():
    models = {
        "mean": {"architecture": "simple_cnn"},
        "stained": {"architecture": "simple_cnn", "stain": "macenko"},
        "plain": {"architecture": "VGG-16", "preprocessing": "none", "weights": "imagenet"},
    }
    training = make(models=models, experiments=asked(models=list(models))).training
    mean, stained, plain = (
        training.start(wildcards(dataset="cells", protocol="folds", model=name, fold="2"))
        for name in models
    )
    assert mean == {"mean_images": "<results>/mean_images/cells/folds.npy"}
    assert stained == {
        "mean_images": "<results>/stain/cells/folds/macenko.npy",
        "stains": "<results>/stain/cells/folds/macenko.json",
    }
    assert plain == {"weights": "resources/weights/vgg16_imagenet_notop.weights.h5"}


def test_a_missing_weights_file_is_named():
    models = {"cnn": {"architecture": "vgg16", "weights": "lost.h5", "preprocessing": "imagenet"}}
    with pytest.raises(InputError, match=r"models.cnn.weights: the file lost.h5 does not exist"):
        make(models=models, experiments=asked()).training.weights(RUN)


def transferred(source_preprocessing="mean_image"):
    return make(
        pretraining={
            "task": {
                "dataset": "smears",
                "protocol": "holdout",
                "training": {"epochs": 1, "preprocessing": source_preprocessing},
            }
        },
        models={
            "cnn": {
                "architecture": "simple_cnn",
                "weights": {"pretrained_on": "task"},
                "preprocessing": "weights",
            }
        },
        experiments=asked(),
    )


def test_transferred_weights_come_with_the_mean_image_of_their_source():
    experiment = transferred()
    assert experiment.training.start(RUN) == {
        "weights": "<results>/pretraining/task/simplecnn.weights.h5",
        "source_mean_image": "<results>/pretraining/task/simplecnn.mean_image.npy",
    }
    source = wildcards(source="task", architecture="simplecnn")
    assert experiment.training.source_run(source) == "smears/holdout/task_simplecnn"
    assert ("smears", "holdout", "task_simplecnn") in experiment.runs.asked
    assert "source_mean_image" not in transferred("none").training.start(RUN)


def test_models_learn_from_images_or_from_stored_features():
    experiment = make()
    assert (experiment.runs.single_models, experiment.runs.head_models) == (["cnn"], ["vgg"])
    settings = experiment.config["models"]["vgg"]
    assert list(experiment.training.feature_sets) == [feature_set_name(settings)]
    image, heads = [("cells", "folds", "cnn")], [("cells", "folds", "vgg")]
    runs = {name: [Run(*one) for one in named] for name, named in {"i": image, "h": heads}.items()}
    assert experiment.files.trained("history.tsv", runs["i"]) == [
        f"<results>/training/cells/folds/cnn/fold-{fold}/history.tsv" for fold in range(3)
    ]
    assert experiment.files.trained("history.tsv", runs["h"]) == [
        "<results>/training/cells/folds/vgg/history.tsv"
    ]
    assert experiment.files.networks(runs["i"]) == [
        f"<results>/training/cells/folds/cnn/fold-{fold}/model.keras" for fold in range(3)
    ]
    assert experiment.files.networks(runs["h"]) == ["<results>/training/cells/folds/vgg/networks"]
    vgg = wildcards(dataset="cells", protocol="folds", model="vgg")
    assert experiment.files.records_of_training(vgg) == [
        "<results>/training/cells/folds/vgg/runs.json"
    ]
    assert experiment.files.records_of_training(RUN)[0].endswith("fold-0/run.json")


def test_one_job_may_train_the_networks_of_all_folds():
    plain = make()
    together = {"architecture": "simple_cnn", "folds_in_one_job": True, "title": "CNN"}
    experiment = make(models={"cnn": together}, experiments=asked(protocols=["folds"]))
    assert (experiment.runs.joint_models, experiment.runs.single_models) == (["cnn"], [])
    place, run = "<results>/training/cells/folds/cnn", [Run("cells", "folds", "cnn")]
    assert experiment.files.trained("predictions.tsv", run) == [f"{place}/predictions.tsv"]
    assert experiment.files.networks(run) == [f"{place}/networks"]
    cnn = wildcards(dataset="cells", protocol="folds", model="cnn")
    assert experiment.files.records_of_training(cnn) == [f"{place}/runs.json"]
    # The choice is none of the settings that a training depends on.
    assert experiment.training.model_settings(cnn) == plain.training.model_settings(cnn)
    passes = experiment.training.training_passes_of_folds(cnn)
    assert passes == 3 * experiment.training.training_passes(cnn)


@pytest.mark.parametrize(
    ("changes", "dataset", "split"),
    [
        ({}, "cells_labels_permuted_by_image", "folds"),
        ({"preprocessing": "none"}, "cells", "shared"),
        ({"preprocessing": "none", "stain": "reinhard"}, "cells_labels_permuted_by_image", "folds"),
        # Every fold has random start weights of its own.
        ({"preprocessing": "none", "weights": "none"}, "cells_labels_permuted_by_image", "folds"),
    ],
)
def test_features_are_shared_unless_they_depend_on_the_fold(changes, dataset, split):
    model = {"architecture": "vgg16", "weights": "imagenet", "train": "head", **changes}
    experiments = asked(protocols=["folds"], models=["vgg"], canaries=True)
    training = make(models={"vgg": model}, experiments=experiments).training
    [features] = training.feature_sets
    run = wildcards(dataset="cells_labels_permuted_by_image", protocol="folds", model="vgg")
    assert training.head_features(run) == f"<results>/features/{dataset}/{features}/{split}"
    place = wildcards(dataset=dataset, features=features, split=split)
    start, audit = training.feature_start(place), training.feature_leakage(place)
    if split == "shared":
        assert list(start) == ["weights"]
        assert audit == []
    else:
        assert start["folds"] == f"<results>/folds/{dataset}/folds.tsv"
        assert audit == f"<results>/folds/{dataset}/folds.leakage.tsv"
        assert ("weights" in start) == ("weights" not in changes)
        assert ("mean_images" in start) == (changes == {})
        assert ("stains" in start) == ("stain" in changes)


def test_repeats_are_more_folds_of_the_same_features():
    protocol = {"kind": "kfold", "folds": 3, "repeats": 5}
    model = {"architecture": "vgg16", "weights": "imagenet", "train": "head"}
    models = {"vgg": model | {"preprocessing": "weights"}, "cnn": {"architecture": "simple_cnn"}}
    experiments = asked(protocols=["folds"], models=["vgg", "cnn"])
    changes = {"protocols": {"folds": protocol}, "models": models, "experiments": experiments}
    experiment = make(**changes)
    assert experiment.runs.fold_count("folds") == 15
    last = experiment.files.networks([experiment.runs.asked[1]])[-1]
    assert last == "<results>/training/cells/folds/cnn/fold-14/model.keras"
    run = wildcards(dataset="cells", protocol="folds", model="vgg")
    assert experiment.training.head_features(run).endswith("/shared")
    assert experiment.training.repeats(run) == 5
    # One pass for all folds and repeats, and one more for every epoch of changed images.
    [features] = experiment.training.feature_sets
    place = wildcards(dataset="cells", features=features, split="shared")
    once = make(**changes | {"protocols": {"folds": protocol | {"repeats": 1}}}).training
    assert experiment.training.extraction_passes(place) == once.extraction_passes(place)


def test_repeated_runs_are_joined_by_what_their_protocols_draw():
    folds = {"kind": "kfold", "folds": 3, "group_by": "subject"}
    protocols = {
        "once": folds,
        "many": folds | {"repeats": 5, "title": "Many"},
        "seeds": folds | {"repeats": 4, "redraw": "seeds"},
        "images": folds | {"group_by": "image", "repeats": 2},
        "parts": {"kind": "predefined", "test_parts": ["a", "b"], "repeats": 2},
    }
    experiment = make(protocols=protocols, experiments=asked(protocols=list(protocols)))
    assert experiment.shown.repeated(wildcards(dataset="cells")) == [
        {"model": "cnn", "protocol": "many", "draws": 0, "seeds_alone": False},
        {"model": "cnn", "protocol": "seeds", "draws": 0, "seeds_alone": True},
        {"model": "cnn", "protocol": "images", "draws": 1, "seeds_alone": False},
        # The test parts are given, so that repeats draw seeds alone.
        {"model": "cnn", "protocol": "parts", "draws": 2, "seeds_alone": True},
    ]
    # Repeats of seeds alone add no comparison to those of the same settings.
    assert [run.protocol for run in experiment.runs.gap_of("cells")] == [
        *("images", "parts", "once", "many"),
    ]
    assert experiment.runs.declared == 6
    titles = experiment.shown.titles_of_repeated(wildcards(dataset="cells"))
    assert titles["protocol"]["many"] == "Many"
    where = "datasets of repeated protocols"
    assert experiment.targets.places(where) == [{"dataset": "cells"}]
    assert make().targets.places(where) == []


@pytest.mark.parametrize(
    ("title", "changes", "shown"),
    [
        ("VGG", {}, "VGG (random, frozen)"),
        ("VGG, random", {}, "VGG, random (frozen)"),
        ("VGG (random, frozen)", {}, "VGG (random, frozen)"),
        ("VGG", {"weights": "imagenet"}, "VGG"),
        ("VGG", {"train": "all"}, "VGG"),
    ],
)
def test_titles_name_random_frozen_backbones(title, changes, shown):
    model = {"architecture": "vgg16", "train": "head", "title": title} | changes
    experiment = make(models={"net": model}, experiments=asked(models=["net"]))
    assert experiment.runs.titles["model"] == {"net": shown}
    [run] = experiment.runs.described(experiment.runs.shown)
    assert run["model_title"] == shown


def test_two_names_of_one_model_are_a_control():
    net = {"architecture": "vgg16", "weights": "imagenet", "train": "head"}
    models = {"a": net | {"title": "A"}, "b": net, "c": net | {"epochs": 3}}
    experiment = make(models=models, experiments=asked(models=["a", "b", "c"]))
    assert experiment.runs.controls_of("cells", "holdout") == [("a", "b")]
    split = wildcards(dataset="cells", protocol="holdout")
    assert experiment.shown.controls(split) == [["a", "b"]]


def test_a_selection_is_scored_by_features_of_unchanged_images():
    datasets = {
        "cells": {"format": "folder"},
        "chosen": {
            "format": "selected",
            "of": "cells",
            "select": {"method": "discriminative", "share": 0.5, "architecture": "vgg16"},
        },
    }
    models = {"cnn": {"architecture": "simple_cnn"}}
    experiments = asked(datasets=["cells", "chosen"])
    training = make(datasets=datasets, models=models, experiments=experiments).training
    [name] = training.feature_sets
    assert training.selection_features(wildcards(dataset="chosen")) == (
        f"<results>/features/cells/{name}/shared"
    )
    assert training.selection_features(wildcards(dataset="cells")) == []
    settings = FeatureSettings.read(training.feature_settings(wildcards(features=name)))
    assert not settings.augmentation.changes_anything()


def test_settings_that_a_job_does_not_use_never_run_it_again():
    first, second = (
        make(device=device, xla=device == "gpu", seed=seed, results="r").training
        for device, seed in (("cpu", 1), ("gpu", 1))
    )
    assert first.heads_job == second.heads_job
    assert first.assembly_job == second.assembly_job
    assert first.training_job != second.training_job
    assert first.extraction_job != second.extraction_job
    assert first.place.states == "r/unfinished_training"
    assert (first.place.device, second.place.device) == ("cpu", "gpu")
    keys = set(first.training_job)
    assert all(set(job) == keys for job in (first.heads_job, first.application_job))


def test_a_canary_is_augmented_as_its_base():
    training = make(experiments=asked(canaries=True)).training
    for name in ("cells", "cells_labels_permuted_by_image"):
        assert training.image_source(wildcards(dataset=name)) == "cells"


# Files and targets.


def shown(targets, kind, name, *endings, where=None, category="Comparison"):
    return targets.shown([Product.declared(kind, name, category, where)], endings)


def test_a_declared_product_is_a_target_wherever_it_exists():
    targets = make().targets
    assert shown(targets, "tables", "datasets", "tsv") == ["<results>/tables/datasets.tsv"]
    assert shown(targets, "figures", "{dataset}/{protocol}/roc", "svg") == [
        "<results>/figures/cells/holdout/roc.svg",
        "<results>/figures/cells/folds/roc.svg",
    ]
    runs = shown(targets, "tables", "{dataset}/{protocol}/{model}")
    assert "<results>/tables/cells/folds/cnn.tex" in runs
    assert len(runs) == len(set(runs)) == len(ENDINGS["tables"]) * len(make().runs.shown)
    networks = shown(targets, "figures", "{dataset}/architectures/{model}")
    assert "<results>/figures/cells/architectures/vgg.svg" in networks
    comparisons = "{dataset}/{protocol}/comparisons"
    where = "splits of several models"
    compared = shown(targets, "tables", comparisons, "md", where=where)
    assert "<results>/tables/cells/folds/comparisons.md" in compared
    gap = shown(targets, "tables", "{dataset}/gap", "md", where="datasets of several protocols")
    assert gap == ["<results>/tables/cells/gap.md"]
    assert shown(targets, "tables", "canaries", where="canaries") == []
    assert shown(targets, "tables", "external_test", where="external tests") == []


def test_products_follow_the_sections_of_the_report():
    audit = Product.declared("tables", "leakage", "Audit", None)
    data = Product.declared("tables", "datasets", "Data sets", None)
    paths = make().targets.shown([audit, data], ["tsv"])
    assert paths == ["<results>/tables/datasets.tsv", "<results>/tables/leakage.tsv"]


def test_every_place_has_the_wildcards_of_its_products():
    targets = make().targets
    for where, fields in WILDCARDS.items():
        assert all(tuple(place) == fields for place in targets.places(where))


def test_folds_of_every_split_are_a_target():
    assert make().targets.folds() == [
        "<results>/folds/cells/holdout.tsv",
        "<results>/folds/cells/folds.tsv",
        "<results>/folds/cells/holdout.leakage.tsv",
        "<results>/folds/cells/folds.leakage.tsv",
    ]


def test_the_layers_of_a_model_are_those_of_its_first_run():
    path = make().files.layers(wildcards(dataset="cells", model="cnn"))
    assert path == "<results>/evaluation/cells/holdout/cnn/layers.tsv"


def test_every_fitted_artefact_has_a_record():
    files = make(experiments=asked(models=["cnn"])).files
    titles = [entry["artefact"] for entry in files.fitted_artefacts]
    assert titles == ["mean image", "network CNN", "temperature and thresholds of CNN"]
    assert files.fitted_records == [
        "<results>/mean_images/cells/holdout.json",
        "<results>/evaluation/cells/holdout/cnn/runs.json",
        "<results>/evaluation/cells/holdout/cnn/fitted.json",
    ]


def test_titles_of_wildcards():
    shown = make().shown
    assert shown.title(wildcards(dataset="cells", protocol="folds")) == "Cells, Folds"
    assert shown.titled_models(RUN) == [("cnn", "CNN"), ("vgg", "vgg")]


def test_names_that_contain_one_another_are_distinguished():
    constraint = make().wildcard_constraints()["protocol"]
    assert re.fullmatch(constraint, "folds")
    assert not re.fullmatch(constraint, "folds_subject")
    assert not re.fullmatch(one_of([]), "")


def test_generated_images_tiles_and_source_tasks_are_not_compared_with_the_literature():
    config = yaml.safe_load((REPOSITORY / "config.yaml").read_text("utf-8"))
    runs = Runs(check_config(config, SCHEMA, "config.yaml"))
    assert runs.shown
    assert runs.comparable == []
    assert not runs.reproduces_something
    config["datasets"]["demo"]["reproduces"] = "ALL_IDB"
    assert Runs(check_config(config, SCHEMA, "config.yaml")).reproduces_something
    # An application needs generated smears.
    del config["applications"]
    for entry in config["datasets"].values():
        if entry["format"] == "demo":
            entry.pop("demo", None)
            entry["format"] = "all-idb2"
    runs = Runs(check_config(config, SCHEMA, "config.yaml"))
    assert {run.dataset for run in runs.comparable} == {"demo", "demo_grown"}
    source = "discriminative_tiles_simplecnn"
    assert source in {run.model for run in runs.shown}
    assert source not in {run.model for run in runs.comparable}


def test_images_are_independent_by_the_config_or_the_generator():
    datasets = {
        "cells": {"format": "folder"},
        "declared": {"format": "folder", "independent_images": True},
        "grown": {"format": "grown", "of": "declared", "grow": {"normal": 9, "blast": 9}},
        "smears": {"format": "demo"},
    }
    inputs = make(datasets=datasets, experiments=asked()).inputs
    found = {
        name: inputs.independent_images(Wildcards(fromdict={"dataset": name})) for name in datasets
    }
    assert found == {"cells": False, "declared": True, "grown": True, "smears": True}


# Identity across data sets.


def test_what_is_learnt_from_and_tested_on_is_compared(tmp_path):
    (tmp_path / "own.weights.h5").write_bytes(b"weights")
    own = str(tmp_path / "own.weights.h5")
    experiment = make(
        datasets={
            "cells": {"format": "folder", "title": "Cells"},
            "other": {"format": "folder", "title": "Other"},
            "tissue": {"format": "pcam", "title": "Tissue"},
        },
        models={
            "cnn": {"architecture": "simple_cnn", "weights": {"pretrained_on": "source"}},
            "own": {"architecture": "vgg16", "weights": own, "preprocessing": "none"},
            "plain": {"architecture": "simple_cnn"},
        },
        pretraining={"source": {"dataset": "tissue", "protocol": "holdout", "training": {}}},
        experiments=[
            *asked(models=("cnn", "plain"), external_test=["other"]),
            *asked(models=("own",), protocols=("folds",)),
        ],
    )
    found = {
        "/".join(split): [tuple(entry.values()) for entry in entries]
        for split, entries in experiment.identity.comparisons.items()
    }
    assert found == {
        "cells/holdout": [
            ("tissue", "cells", "dataset", "test", "pcam,folder"),
            ("tissue", "other", "dataset", "all", "pcam,folder"),
            ("cells", "other", "dataset", "all", "folder,folder"),
        ],
        "cells/folds": [(own, "cells", "weights", "test", ",folder")],
    }
    names = wildcards(dataset="cells", protocol="holdout")
    place = "<results>/datasets"
    assert experiment.identity.pairs(names) == [
        f"{place}/tissue/shared_with/cells.tsv",
        f"{place}/tissue/shared_with/other.tsv",
        f"{place}/cells/shared_with/other.tsv",
    ]
    assert experiment.identity.tested(names)[1] == f"{place}/other/manifest.tsv"
    weights = wildcards(dataset="cells", protocol="folds")
    assert experiment.identity.learnt(weights) == [own]
    assert experiment.identity.pairs(weights) == []
    # The source task is trained when the splits of its targets are audited; no other model waits.
    task = wildcards(dataset="tissue", protocol="holdout", model="source_simplecnn")
    allowed = "<results>/pretraining/source/simplecnn.allowed"
    assert experiment.identity.allowed(task) == allowed
    task = wildcards(source="source", architecture="simplecnn")
    audits = ["<results>/folds/cells/holdout.leakage.tsv"]
    assert experiment.identity.audits_of_targets(task) == audits
    other = wildcards(dataset="cells", protocol="holdout", model="plain")
    assert experiment.identity.allowed(other) == []
    # The source task itself starts from nothing and is tested nowhere else.
    source = wildcards(dataset="tissue", protocol="holdout")
    assert experiment.identity.of_split(source) == []
    assert experiment.targets.places("identity audits") == [{}]
    assert make().targets.places("identity audits") == []


def test_a_locked_part_is_compared_with_what_others_learn_from():
    experiment = make(
        datasets={
            "cells": {
                "format": "folder",
                "title": "Cells",
                "path": "raw/a",
                "locked_test": {"share": 0.2},
            },
            "more": {"format": "folder", "title": "More", "path": "raw/b"},
        },
        models={
            "cnn": {"architecture": "simple_cnn", "weights": {"pretrained_on": "source"}},
            "plain": {"architecture": "simple_cnn"},
        },
        pretraining={"source": {"dataset": "more", "protocol": "holdout", "training": {}}},
        experiments=[*asked(models=("cnn", "plain"))],
    )
    found = experiment.identity.comparisons
    split, source = Split("cells", "holdout"), Split("more", "holdout")
    assert [tuple(entry.values())[:4] for entry in found[split]] == [
        ("more", "cells", "dataset", "test"),
        ("more", "cells_locked_test", "dataset", "locked"),
    ]
    assert [tuple(entry.values())[:4] for entry in found[source]] == [
        ("more", "cells_locked_test", "dataset", "locked")
    ]
    place, names = "<results>/datasets", wildcards(dataset="more", protocol="holdout")
    assert experiment.identity.tested(names) == [f"{place}/cells_whole/manifest.tsv"]
    assert experiment.identity.pairs(names) == [f"{place}/more/shared_with/cells_whole.tsv"]
    assert experiment.identity.locked(names) == [f"{place}/cells/locked.tsv"]
    shown = experiment.shown.learnt_before(names)
    assert shown == {"cnn": ["more"]}


@pytest.mark.parametrize(
    ("other", "refused"),
    [
        ({"path": "raw/a"}, True),
        ({"path": "raw/../raw/a/"}, True),
        ({"path": "raw/a", "sheet": "b.tsv"}, False),
        ({"path": "raw/b"}, False),
    ],
)
def test_locked_images_are_not_read_by_another_data_set(other, refused):
    locked = {"title": "Cells", "format": "folder", "path": "raw/a", "locked_test": {"share": 0.2}}
    datasets = {"cells": locked, "again": {"title": "Again", "format": "folder", **other}}
    if not refused:
        make(datasets=datasets, experiments=asked())
        return
    with pytest.raises(InputError, match=r"datasets\.again reads the same images"):
        make(datasets=datasets, experiments=asked())
