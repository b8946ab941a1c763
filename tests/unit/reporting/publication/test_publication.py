"""The publication pack from records written by hand."""

import csv
import json
import shutil
import subprocess
import sys

import pandas as pd
import pytest
from matplotlib.figure import Figure
from support.repository import REPOSITORY

from blastfold.core.errors import BlastfoldError, InputError
from blastfold.experiment.repository import repository_state
from blastfold.reporting.page.render import answer_text
from blastfold.reporting.publication import document
from blastfold.reporting.publication.checklist import (
    facts,
    fill_checklist,
    read_checklist,
    write_checklist,
)
from blastfold.reporting.publication.letters import in_latex, letters_for
from blastfold.reporting.publication.methods import (
    methods_sections,
    to_latex,
    to_markdown,
    write_methods,
)
from blastfold.reporting.publication.model_card import model_card
from blastfold.reporting.publication.provenance import provenance, write_provenance
from blastfold.reporting.publication.records import read_records
from blastfold.reporting.publication.wording import duration, listing, percent, span
from blastfold.reporting.tables.writing import write_table

CHECKLISTS = REPOSITORY / "resources" / "checklists"
HOSTILE = "[M] * A_b 50 % & größe #1 {x} ~^\\ $y$ <z> | naïve 白血病 CD3⁺ γδ ≥"
UNKNOWN = {"commit": None, "dirty": None}
COMMIT = {"commit": "c0ffee", "dirty": False}
AUGMENTATION = {
    "flip_up_down": True,
    "flip_left_right": False,
    "transpose": True,
    "brightness": 0.15,
    "contrast": 0.0,
    "saturation": 0.0,
    "hue": 0.03,
    "crop": 0.2,
    "rotation": 180,
    "stain_jitter": 0.05,
}
ASKED = [("cells", "subject_folds", "big", 2), ("cells", "subject_folds", "small", 2)]


def settings(**changes):
    base = {
        "architecture": "vgg19",
        "augment": True,
        "augmentation": AUGMENTATION,
        "batch_size": 8,
        "class_weights": True,
        "early_stopping": None,
        "epochs": 3,
        "learning_rate": 0.0005,
        "preprocessing": "mean_image_plain",
        "train": "head",
    }
    return base | changes


def write_json(content, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), "utf-8")
    return path


def write_tsv(rows, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, sep="\t", index=False)
    return path


def write_runs(folder, model, *runs):
    """Write records of trainings under one protocol, as an evaluation puts them together."""
    return write_json(list(runs), folder / f"evaluation/cells/subject_folds/{model}/runs.json")


def run_of(fold, device="CPU", weights=None, **changes):
    return {
        "fold": fold,
        "settings": settings(**changes),
        "device": device,
        "seed": 100 + fold,
        "seconds": 60.5,
        "digests": {"images": "aa", "split": "bb", "weights": weights, "config": "cc"},
        "images": {"train": 5, "validation": 1, "test": 4},
        "parameters": 1234567,
        "trainable_parameters": 890,
        "versions": {"python": "3.11.7", "keras": "3.15.0", "tensorflow": "2.21.0"},
        "predictions_sha256": f"ee{fold}",
    }


def write_config(title="Our cells"):
    return {
        "title": title,
        "seed": 7,
        "device": "auto",
        "deterministic": True,
        "datasets": {
            "cells": {"title": title, "format": "folder", "crop": None, "image_size": [20, 20]}
        },
        "protocols": {
            "subject_folds": {
                "title": "2 folds",
                "kind": "kfold",
                "folds": 2,
                "group_by": "subject",
            }
        },
        "models": {
            "big": {"title": "VGG19", "weights": "imagenet"},
            "small": {"title": "Small", "weights": "none"},
        },
    }


@pytest.fixture
def stored(tmp_path):
    """Files of an experiment of which one model has both folds and one has a single fold."""
    description = {
        "format": "folder",
        "images": 10,
        "classes": ["normal", "blast"],
        "class_images": {"normal": 6, "blast": 4},
        "subjects": 5,
        "pictures": 0,
        "rejected": 2,
        "image_size": [20, 20],
        "source_sizes": [[40, 50, 10]],
        "parts": {"x": {"images": 3, "normal": 1, "blast": 2, "subjects": 1, "pictures": 0}},
        "asked_parts": [],
        "images_sha256": "aa",
        "manifest_sha256": "dd",
    }
    roles = [["test"] * 4 + ["validation"] + ["train"] * 5, ["train"] * 6 + ["test"] * 4]
    folds = [
        {"image_id": f"i{number}", "fold": fold, "role": role}
        for fold, of_fold in enumerate(roles)
        for number, role in enumerate(of_fold)
    ]
    audit = [
        {"fold": fold, "against": against, "reason": reason, "test_images": 4, "crossing": crossing}
        for fold in (0, 1)
        for against in ("train", "validation")
        for reason, crossing in (("copy", fold), ("subject", 0), ("group", 4))
    ]
    metrics = [{"scope": "pooled", "metric": name, "value": 0.5} for name in ("accuracy", "auc")]
    layers = [
        {"name": "conv", "kind": "Conv2D", "output_shape": "5x5x4"},
        {"name": "flatten", "kind": "Flatten", "output_shape": "100"},
        {"name": "dense_1", "kind": "Dense", "output_shape": "256"},
        {"name": "classifier", "kind": "Dense", "output_shape": "2"},
    ]
    evaluation = tmp_path / "evaluation" / "cells" / "subject_folds" / "big"
    return {
        "datasets": [write_json(description, tmp_path / "datasets" / "cells" / "dataset.json")],
        "folds": [write_tsv(folds, tmp_path / "folds" / "cells" / "subject_folds.tsv")],
        "leakage": [write_tsv(audit, tmp_path / "folds" / "cells" / "subject_folds.leakage.tsv")],
        "layers": [write_tsv(layers, evaluation / "layers.tsv")],
        "metrics": [write_tsv(metrics, evaluation / "metrics.tsv")],
        "runs": [
            write_runs(tmp_path, "big", *(run_of(fold, weights="f" * 64) for fold in (0, 1))),
            write_runs(tmp_path, "small", run_of(1, architecture="simple_cnn", train="all")),
            tmp_path / "evaluation" / "cells" / "subject_folds" / "absent" / "runs.json",
        ],
    }


EXPECTED = {"cells": {"parts": {"x": {"images": 3}}}}


def text_of(config, stored, heading=None):
    sections = methods_sections(read_records(config, ASKED, EXPECTED, **stored))
    chosen = [heading] if heading else sections
    return " ".join(" ".join(sections[name]) for name in chosen)


def test_methods_report_what_the_records_hold(stored):
    text = text_of(write_config(), stored)
    assert "10 images (6 normal and 4 blast) of 5 subjects." in text
    assert "2 files were rejected" in text
    assert "resized to 20 \N{MULTIPLICATION SIGN} 20 pixels" in text
    assert "2-fold cross-validation, stratified by class as far as whole subjects allow" in text
    assert "5 to 6 training, 0 to 1 validation and 4 test images in each fold" in text
    # Fold 1 has one copy among 2 x 4 test images; groups only repeat what other reasons say.
    assert "Of 8 test images of all folds, 1 (12.5 %) had a copy among the training images." in text
    assert "learning rate 0.0005) in batches of 8 for 3 epochs" in text
    assert "1,234,567 parameters, of which the 890 of its head alone were trained" in text
    assert "flattened feature maps, a dense layer of 256 neurons and 2 softmax neurons" in text
    assert "Start weights of VGG19: weights of ImageNet (SHA-256 ffffffffffff…)." in text
    assert "Start weights of Small: random weights." in text
    assert "seed 7" in text
    assert "accuracy and the area under the ROC curve" in text
    assert "Python 3.11.7, Keras 3.15.0 and TensorFlow 2.21.0" in text
    assert "3 trainings on a CPU, which took 3.0 minutes in all" in text
    assert "GPU" not in text


def test_augmentation_stands_with_its_true_values(stored):
    text = text_of(write_config(), stored, "Augmentation")
    assert "a flip up-down with probability 0.5" in text
    assert "flip left-right" not in text
    assert "a transposition with probability 0.25" in text
    assert "±15 % of their range" in text
    assert "±3 % of the colour circle" in text
    assert "up to 20 % of each side" in text
    assert "a rotation by any angle, with the corners filled by the mirrored image" in text
    assert "haematoxylin, eosin and DAB by up to ±5 % and ±0.05 of optical density" in text
    for unused in ("contrast", "saturation"):
        assert unused not in text


def test_stain_normalisation_is_reported_with_its_method(stored, tmp_path):
    runs = [run_of(fold, stain="macenko") for fold in range(2)]
    stored["runs"] = [write_runs(tmp_path, "small", *runs)]
    text = text_of(write_config(), stored)
    assert (
        "stains were normalised by Macenko's method with reference statistics of the fold's own "
        "training images, and the mean image"
    ) in text


def test_images_that_are_not_square_are_not_said_to_be_transposed(stored):
    description = json.loads(stored["datasets"][0].read_text())
    write_json(description | {"image_size": [20, 30]}, stored["datasets"][0])
    assert "transposition" not in text_of(write_config(), stored, "Augmentation")


def test_no_augmentation_is_reported_as_none(stored, tmp_path):
    off = {key: type(value)(0) for key, value in AUGMENTATION.items()}
    runs = [run_of(fold, augmentation=off) for fold in (0, 1)]
    stored["runs"] = [write_runs(tmp_path, "big", *runs)]
    assert text_of(write_config(), stored, "Augmentation") == (
        "For VGG19, training images were not augmented."
    )


def test_what_was_not_run_is_named_and_not_claimed(stored):
    stored["runs"] = stored["runs"][:1]
    config = write_config()
    sections = methods_sections(read_records(config, ASKED, **stored))
    assert sections.pop("Not finished") == [
        "Small on Our cells under 2 folds lacks 2 folds (number 0 and 1)."
    ]
    assert "Small" not in json.dumps(sections)
    nothing = methods_sections(read_records(config, ASKED))
    assert list(nothing) == ["Not finished"]


def test_a_missing_fold_is_named(stored):
    assert text_of(write_config(), stored, "Not finished") == (
        "Small on Our cells under 2 folds lacks 1 fold (number 0)."
    )


def test_devices_are_counted_apart(stored, tmp_path):
    write_runs(tmp_path, "big", run_of(0), run_of(1, device="GPU NVIDIA H200"))
    text = text_of(write_config(), stored, "Software and devices")
    assert "2 trainings on a CPU and 1 training on a GPU NVIDIA H200" in text


@pytest.mark.parametrize("train", ["head", "staged"])
def test_early_stopping_is_reported_only_with_validation_images(stored, tmp_path, train):
    trained = {"train": train, "stages": 3, "stage_learning_rate_factor": 0.5}
    runs = [
        {**run_of(fold, early_stopping=2, **trained), "stopped_early": fold == 1} for fold in (0, 1)
    ]
    stored["runs"] = [write_runs(tmp_path, "big", *runs)]
    text = text_of(write_config(), stored, "Training")
    assert "at most 3 epochs" in text
    where = " of the last stage" if train == "staged" else ""
    assert (
        f"was to stop after 2 epochs{where} without a smaller validation loss "
        "(1 of 2 trainings stopped so)"
    ) in text


def test_intervals_are_reported_only_when_there_are_some(stored, tmp_path):
    assert "Intervals" not in text_of(write_config(), stored)
    rows = [
        {"view": view, "metric": "auc", "method": method, "level": 0.95, "recommended": shown}
        for view, method, shown in (
            ("pooled", "jackknife-t", True),
            ("pooled", "delong", False),
            ("folds", "corrected-t", True),
        )
    ]
    stored["intervals"] = [write_tsv(rows, tmp_path / "intervals.tsv")]
    text = text_of(write_config(), stored, "Evaluation")
    assert "Intervals (95 %) of the pooled test images' values were computed by a jackknife" in text
    assert "Nadeau and Bengio" in text
    assert "delong" not in text


def test_comparisons_and_what_was_fitted_are_reported_only_when_there_are_some(stored, tmp_path):
    assert "Pairs" not in text_of(write_config(), stored)
    rows = [
        {"view": "pooled", "method": "jackknife-t", "recommended": True},
        {"view": "procedure", "method": "repeats-t", "recommended": True, "metric": "auc"}
        | {"family": 6, "repeats": 5, "outcome": "no_difference"},
    ]
    stored["comparisons"] = [write_tsv(rows, tmp_path / "comparisons.tsv")]
    stored["fitted"] = [write_json([{"images": 0}, {"images": 0}], tmp_path / "fitted.json")]
    text = text_of(write_config(), stored, "Evaluation")
    assert "Pairs of models were compared in the pooled test images' values by a jackknife" in text
    assert (
        "the only one tested, was the area under the ROC curve; 6 comparisons of the experiment "
        "formed one family, adjusted by Bonferroni's method"
    ) in text
    assert "rest on 5 repeats" in text
    assert "fitted" not in text
    write_json([{"images": 0}, {"images": 5}], stored["fitted"][0])
    text = text_of(write_config(), stored, "Evaluation")
    assert "fitted on the validation images of each fold that has any" in text


def test_derived_data_say_what_they_were_made_from(stored):
    config = write_config()
    config["datasets"]["base"] = config["datasets"]["cells"] | {"crop": [30, 30]}
    config["datasets"]["base"]["format"] = "demo"
    config["datasets"]["cells"] = {"title": "Grown", "format": "grown", "of": "base"}
    description = json.loads(stored["datasets"][0].read_text())
    write_json(description | {"derived": "Grown from base"}, stored["datasets"][0])
    text = text_of(config, stored, "Images")
    assert "Grown from base. They contain no data of patients" in text
    assert "A central crop of 30 \N{MULTIPLICATION SIGN} 30 pixels" in text


def test_canaries_are_distinguished_from_the_experiment(stored):
    config = write_config()
    config["datasets"]["base"] = config["datasets"]["cells"]
    config["datasets"]["cells"] = {"title": "Permuted cells", "format": "permuted", "of": "base"}
    sections = methods_sections(read_records(config, ASKED, **stored))
    told = " ".join(
        sentence
        for name in ("Images", "Splits", "Networks", "Training")
        for sentence in sections.get(name, [])
    )
    assert "Permuted cells" not in told
    assert sections["Canaries"][1] == (
        "On Permuted cells (10 images), VGG19 and Small were trained and tested in the same way "
        "under “2 folds” (3 trainings)."
    )
    assert "Canaries" not in methods_sections(read_records(write_config(), ASKED, **stored))


def test_no_leakage_is_reported_only_after_an_audit(stored):
    del stored["leakage"]
    assert "audit" not in text_of(write_config(), stored)


def test_an_audit_reports_what_it_cannot_know(stored):
    rows = [
        {"fold": 0, "against": "train", "reason": reason, "test_images": 4, "crossing": crossing}
        for reason, crossing in (("copy", "0"), ("subject", ""), ("picture", ""), ("group", ""))
    ]
    write_tsv(rows, stored["leakage"][0])
    text = text_of(write_config(), stored, "Splits")
    assert (
        "The audit before training found no test image with a copy among the training images; "
        "whether subjects or pictures are shared is unknown."
    ) in text
    assert "its subject" not in text


def test_generated_and_incomplete_data_are_named_as_such(stored):
    description = json.loads(stored["datasets"][0].read_text())
    changes = {"format": "demo", "subjects": 0, "parts": {}}
    write_json(description | changes, stored["datasets"][0])
    config = write_config()
    config["datasets"]["cells"]["format"] = "demo"
    text = text_of(config, stored, "Images")
    assert "computer-generated" in text
    assert "whose subjects are not known" in text
    assert (
        "It is not the whole public data set: the part x of the public data set is absent." in text
    )


def test_tiles_of_slides_are_reported_with_how_they_were_cut(stored):
    config = write_config()
    config["datasets"]["cells"]["format"] = "tiles"
    config["slides"] = {
        "sheet": "slides.tsv",
        "tile_size": 128,
        "overlap": 16,
        "unit": "micrometres",
        "mpp": 0.5,
        "tissue_threshold": None,
        "minimum_tissue": 0.5,
        "maximum_pen": 0.05,
        "minimum_sharpness": 40,
    }
    text = text_of(config, stored, "Images")
    assert "computer-generated" not in text
    assert (
        "Slides were cut into tiles of 128 \u00d7 128 µm, 16 µm of overlap, at 0.5 µm per pixel; "
        "tiles with less than 50 % tissue (saturation above Otsu's threshold), more than 5 % pen "
        "marks or a variance of the Laplacian below 40 were left out."
    ) in text
    del config["slides"]["sheet"]
    config["slides"] |= {"demo": {}, "unit": "pixels", "overlap": 0, "mpp": None}
    text = text_of(config, stored, "Images")
    assert "computer-generated tiles of slides" in text
    assert "They contain no data of patients" in text
    assert "tiles of 128 \u00d7 128 pixels at the slides' finest level" in text


def test_hostile_titles_are_escaped(stored):
    sections = methods_sections(read_records(write_config(HOSTILE), ASKED, **stored))
    latex = to_latex(sections)
    assert r"A\_b 50 \% \& größe \#1 \{x\} \textasciitilde{}\textasciicircum{}" in latex
    assert r"A\_b 50 % & größe \#1 \{x\} ~^\\ $y$ \<z\> \|" in to_markdown(sections)


def test_methods_are_written_in_both_formats(stored, tmp_path):
    records = read_records(write_config(), ASKED, **stored)
    paths = [tmp_path / "methods.md", tmp_path / "methods.tex"]
    write_methods(records, paths)
    assert paths[0].read_text().startswith("## Methods\n\n**Images.** Our cells comprised")
    assert r"\paragraph{Images.} Our cells comprised" in paths[1].read_text()


def test_broken_record_is_named(stored):
    stored["runs"][0].write_text("{")
    with pytest.raises(InputError, match=r"big/runs\.json: is not JSON"):
        read_records(write_config(), ASKED, **stored)
    write_json([{"fold": 0}], stored["runs"][0])
    with pytest.raises(InputError, match=r"runs\.json: the keys \['settings'"):
        read_records(write_config(), ASKED, **stored)


def test_checklists_have_every_item_of_the_published_lists():
    claim = [row["item"] for row in read_checklist(CHECKLISTS / "claim_2024.tsv")]
    assert claim == [str(number) for number in range(1, 45)]
    tripod = [row["item"] for row in read_checklist(CHECKLISTS / "tripod_ai.tsv")]
    letters = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef"}
    letters |= {20: "abc", 23: "ab", 27: "abc"}
    expected = [f"{number}{part}" for number in range(1, 28) for part in letters.get(number, [""])]
    assert tripod == expected
    assert len(tripod) == 52


@pytest.mark.parametrize("name", ["claim_2024", "tripod_ai"])
def test_checklist_is_filled_as_far_as_the_run_knows(stored, name):
    items = read_checklist(CHECKLISTS / f"{name}.tsv")
    known = facts(read_records(write_config(), ASKED, **stored), COMMIT)
    for item, row in zip(items, fill_checklist(items, known), strict=True):
        names = item["answered_by"].split(", ")
        answers = [known[fact] for fact in names if fact != "authors"]
        assert all(answer in row["answer"] for answer in answers)
        wholly = "authors" not in names and all(answers)
        assert (row["status"] == "from the run") == wholly
        assert ("to be completed by the authors" in row["answer"].lower()) == (not wholly)


@pytest.mark.parametrize("name", ["claim_2024", "tripod_ai"])
def test_checklist_without_a_run_is_left_to_the_authors(name):
    items = read_checklist(CHECKLISTS / f"{name}.tsv")
    rows = fill_checklist(items, facts(read_records(write_config(), ASKED), UNKNOWN))
    assert {row["status"] for row in rows} == {"to be completed by the authors"}


def test_item_that_names_an_unknown_fact_is_an_error():
    item = {"item": "9", "section": "", "topic": "", "answered_by": "weather, authors"}
    with pytest.raises(InputError, match=r"checklist item 9: received the facts \['weather'\]"):
        fill_checklist([item], {"data": ""})


def test_filled_checklist_can_be_read_back(stored, tmp_path):
    records = read_records(write_config(HOSTILE + "\t\n"), ASKED, **stored)
    paths = [tmp_path / "filled.tsv", tmp_path / "filled.md"]
    write_checklist(records, CHECKLISTS / "claim_2024.tsv", COMMIT, paths)
    with paths[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert len(rows) == 44
    assert all(row["answer"] and row["status"] for row in rows)
    lines = paths[1].read_text("utf-8").splitlines()
    assert len(lines) == 46
    assert all(line.replace(r"\|", "").count("|") == 6 for line in lines)


def test_provenance_ties_runs_to_their_data(stored, tmp_path):
    content = provenance(read_records(write_config(), ASKED, **stored), COMMIT)
    assert content["workflow"]["commit"] == "c0ffee"
    first = content["runs"][0]
    assert [first[key] for key in ("dataset", "protocol", "model", "fold")] == [*ASKED[0][:3], 0]
    assert first["digests"]["predictions"] == "ee0"
    assert (first["seed"], first["device"], first["seconds"]) == (100, "CPU", 60.5)
    assert content["splits"]["cells/subject_folds"]["fold-1"] == {
        "train": 6,
        "validation": 0,
        "test": 4,
    }
    assert content["missing"] == ["cells/subject_folds/small/fold-0"]


def test_provenance_is_the_same_in_any_order_of_files(stored, tmp_path):
    for name in ("first.json", "second.json"):
        records = read_records(write_config(), ASKED, **stored)
        write_provenance(records, COMMIT, tmp_path / name)
        stored["runs"].reverse()
    assert (tmp_path / "first.json").read_bytes() == (tmp_path / "second.json").read_bytes()


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def exported(fold, note=""):
    return {
        "fold": fold,
        "keras": "a" * 64,
        "graphs": {} if note else {f"fold-{fold}.onnx": "b" * 64},
        "compared": 4,
        "differences": {"from_keras": 2e-7, "from_stored_predictions": 3e-6},
        "note": note,
        "temperature": 1.0,
        "temperature_note": "few_validation_groups:1:1:5",
        "thresholds": {"youden": 0.25},
        "threshold_notes": {"youden": ""},
        "validation_images": 1,
    }


def card_of(stored, tmp_path, *networks, **changes):
    rows = [
        {"view": view, "metric": "auc", "value": value, "lower": 0.5, "upper": 0.75}
        | {"images": 8, "groups": 5, "recommended": True, "note": "few_groups:4.2"}
        for view, value in (("pooled", 0.625), ("folds", 0.9))
    ]
    metrics = [
        {"scope": scope, "metric": "auc", "value": value}
        for scope, value in (("pooled", 0.625), ("fold-0", 0.4), ("fold-1", 0.8))
    ]
    files = {
        "intervals": write_tsv(rows, tmp_path / "intervals.tsv"),
        "metrics": write_tsv(metrics, tmp_path / "metrics.tsv"),
    }
    model = {
        **{"dataset": "cells", "protocol": "subject_folds", "model": "big"},
        "classes": ["normal", "blast"],
        "image": {"size": [20, 20], "crop": [30, 40], "decoder": "OpenCV"},
        "networks": list(networks),
        "note": networks[0]["note"],
        "thresholds": {"threshold-0.5": 0.5},
        "parity": 1e-4,
        "versions": {"keras": "3.15.0"},
    }
    return model_card(read_records(write_config(), ASKED[:1], **stored), model | changes, files)


def test_the_model_card_of_one_fold_has_its_own_result_and_what_it_rests_on(stored, tmp_path):
    card = card_of(stored, tmp_path, exported(1))
    assert card.startswith('# Model card: VGG19\n\nOur cells, protocol "2 folds".')
    assert "It is not a medical device." in card
    assert "10 images (6 normal and 4 blast) of 5 subjects." in card
    assert "Licence of the images: not recorded; ask whoever provided them." in card
    # The pooled view, not that of the folds, next to the result of this fold.
    assert "| AUC (%) | 62.5 | 50.0 to 75.0 | 80.0 | the interval rests on few groups" in card
    assert "On 8 test images of 5 leakage groups" in card
    assert "* Fold 1: temperature 1; thresholds chosen on 1 validation image: youden 0.25." in card
    assert "1 (12.5 %) had a copy among the training images" in card
    assert "The share of 'blast' among the images is 40 %." in card
    assert "2.0e-07 from Keras, and 3.0e-06 from the predictions" in card
    assert "a central crop of 30x40 pixels is taken" in card
    assert f"| `networks/fold-1.onnx` | `{'b' * 64}` |" in card
    assert "the mean of all networks" not in card


def test_the_model_card_of_all_folds_names_the_mean_that_was_not_tested(stored, tmp_path):
    card = card_of(stored, tmp_path, exported(0), exported(1))
    assert "The export predicts by the mean of all networks, which is not what was tested" in card
    assert "| AUC (%) | 62.5 | 50.0 to 75.0 | the interval rests on few groups" in card
    assert "The mean of all networks has the threshold 0.5 alone." in card


def test_the_model_card_without_an_onnx_file_has_the_reason(stored, tmp_path):
    note = "onnx_differs:0.25:0.0001"
    card = card_of(stored, tmp_path, exported(0, note), note=note)
    assert "There is no ONNX file: the ONNX file gave probabilities that differ" in card
    assert "by up to 2.5e-01, more than 1e-04" in card
    assert "blastfold_predict.py IMAGES" not in card


def test_repository_state_follows_git(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        run = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()

    assert repository_state(tmp_path) == UNKNOWN
    git("init", "--quiet")
    assert repository_state(tmp_path) == UNKNOWN
    (tmp_path / "rules").mkdir()
    rules = tmp_path / "rules" / "common.smk"
    rules.write_text("one")
    git("add", ".")
    git("commit", "--quiet", "--no-gpg-sign", "--message", "first")
    clean = {"commit": git("rev-parse", "HEAD"), "dirty": False}
    assert repository_state(tmp_path) == clean
    (tmp_path / "my_experiment.yaml").write_text("seed: 3")
    assert repository_state(tmp_path) == clean
    assert repository_state(tmp_path / "rules") == UNKNOWN
    rules.write_text("two")
    assert repository_state(tmp_path) == clean | {"dirty": True}


def draw(path, width_mm, height_mm=60):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(width_mm / 25.4, height_mm / 25.4))
    figure.add_subplot().plot([0, 1])
    figure.savefig(path)
    return path


def write_tables(folder, title, rows=3):
    table = pd.DataFrame(
        {"model": [title] * rows, "accuracy": [0.5] * rows, title: "*", "note": [title] * rows}
    )
    path = folder / "tables" / "cells" / f"results-{rows}.tex"
    write_table(table, [path], f"On {title}", f"tab:{title}-{rows}")
    return path


def assemble(folder, title=HOSTILE):
    """A pack of two tables (one of them long) and three figures, one of them too large."""
    figures = [
        draw(folder / "figures" / "cells" / "holdout" / "roc.pdf", 85),
        draw(folder / "figures" / "cells" / "architectures" / "big.pdf", 180),
        draw(folder / "figures" / "literature_comparison.pdf", 400, 400),
    ]
    pack = folder / "publication"
    pack.mkdir()
    methods = pack / "methods.tex"
    methods.write_text(to_latex({"Images": [f"{title} comprised 1 image."]}), "utf-8")
    answer, caption = folder / "answer.rst", folder / "roc.rst"
    answer.write_text(f"* {answer_text([{'source': False, 'answer': [title]}])[2:]}", "utf-8")
    caption.write_text(
        "Curves on {{ snakemake.config.titles.dataset[snakemake.wildcards.dataset] }},\n``bold``."
    )
    document.assemble_publication(
        tables=[write_tables(folder, title, rows) for rows in (3, 60)],
        figures=figures,
        methods=methods,
        answer=answer,
        captions=[caption],
        root=folder,
        about={
            "dataset": "cells",
            "protocol": "holdout",
            "model": "big",
            "titles": {"dataset": {"cells": title}, "protocol": {}, "model": {"big": "VGG19"}},
            "title": title,
            "captions": {"{dataset}/{protocol}/roc": "roc"},
            "citation": {"authors": title, "title": "Blastfold", "version": "1"},
        },
        outputs={
            "tables": pack / "tables",
            "figures": pack / "figures",
            "document": pack / "main.tex",
            "supplement": pack / "supplement.tex",
        },
    )
    return pack


def test_the_figure_of_attributions_names_the_tested_data_set():
    titles = {"dataset": {"cells": "Cells", "other": "Other"}, "protocol": {"folds": "3 folds"}}
    caption = document.figure_caption(
        ("cells", "folds", "attribution", "other"), titles | {"model": {}}
    )
    assert caption == "Where the networks look on test cells: Cells, 3 folds, tested on Other."


def test_document_shows_every_table_and_figure(tmp_path):
    pack = assemble(tmp_path, "Cells")
    main = (pack / "main.tex").read_text("utf-8")
    text = main + (pack / "supplement.tex").read_text("utf-8")
    shown = {f"tables/cells-results-{rows}.tex" for rows in (3, 60)}
    shown |= {f"figures/cells-{name}.pdf" for name in ("holdout-roc", "architectures-big")}
    shown.add("figures/literature_comparison.pdf")
    assert {str(path.relative_to(pack)) for path in pack.glob("*/*")} == shown
    assert all(text.count(f"{{{name}}}") == 1 for name in shown)
    # The main document has the results and the figure of the chosen protocol, with the report's own
    # caption; everything else is in the supplement.
    assert "\\section*{Results}\nCells\n" in main
    assert r"\caption{ROC curves: Cells, holdout. Curves on Cells, bold.}" in main
    assert main.count(r"\includegraphics") == 1
    assert r"\bibitem{blastfold} Cells. Blastfold. Version 1." in main
    assert r"\caption{The network, stage by stage: Cells, VGG19.}" in text
    # Journal widths are kept; what is larger than the page is made to fit.
    assert r"\includegraphics{figures/cells-holdout-roc.pdf}" in text
    assert r"keepaspectratio]{figures/literature_comparison.pdf}" in text


def test_the_main_document_shows_one_confusion_matrix_and_one_table_of_classes():
    about = {"dataset": "cells", "protocol": "folds", "model": "net"}
    run = [("cells", "folds", model) for model in ("other", "net")]
    tables = [*((*names, "classes") for names in run), ("cells", "class_results"), ("datasets",)]
    figures = [("cells", "folds", "roc"), *((*names, "class_confusion") for names in run)]
    assert document.chosen(document.MAIN_TABLES, about, tables, 3) == [
        *(("datasets",), ("cells", "class_results"), ("cells", "folds", "net", "classes"))
    ]
    assert document.chosen(document.MAIN_FIGURES, about, figures, 4) == [
        *(("cells", "folds", "net", "class_confusion"), ("cells", "folds", "roc"))
    ]


def test_figure_size_is_read_from_the_page(tmp_path):
    assert document.figure_size(draw(tmp_path / "a.pdf", 85, 70)) == pytest.approx(
        (85, 70), abs=0.1
    )
    (tmp_path / "b.pdf").write_bytes(b"no page")
    assert document.figure_size(tmp_path / "b.pdf") is None


def test_files_that_would_share_a_name_are_an_error(tmp_path):
    files = [draw(tmp_path / name, 85) for name in ("a/b-c.pdf", "a-b/c.pdf")]
    with pytest.raises(BlastfoldError, match=r"another file has the name a-b-c\.pdf already"):
        document.collect(files, tmp_path, tmp_path / "out")


def test_letters_that_pdflatex_lacks_are_declared():
    assert letters_for("größe, naïve, Łódź, “a”\N{EN DASH}…") == ("", "", "")
    found = letters_for("β白")
    assert found.letters == (
        "\\DeclareUnicodeCharacter{03B2}{\\ensuremath{\\beta}}\n"
        "\\DeclareUnicodeCharacter{767D}{[U+767D]}\n"
    )
    assert found.note.startswith("% pdfLaTeX prints the numbers of letters that it lacks (白): ")
    assert "\\setmainfont{DejaVu Serif}" in found.font
    assert letters_for("CD3⁺ γδ ≥ 5").note == ""


@pytest.mark.parametrize(
    ("letter", "latex"),
    [
        *(("λ", r"\ensuremath{\lambda}"), ("Σ", r"\ensuremath{\Sigma}")),
        *(("ς", r"\ensuremath{\varsigma}"), ("\N{GREEK CAPITAL LETTER ALPHA}", "A")),
        *(("⁺", r"\textsuperscript{+}"), ("⁻", r"\textsuperscript{-}")),
        *(("₂", r"\textsubscript{2}"), ("≥", r"\ensuremath{\geq}"), ("Ж", ""), ("白", "")),
    ],
)
def test_greek_letters_and_raised_ones_are_printed_by_pdflatex(letter, latex):
    assert in_latex(letter) == latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_document_with_hostile_titles_compiles(tmp_path):
    pack = assemble(tmp_path)
    for name in ("main", "supplement"):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", f"{name}.tex"]
        run = subprocess.run(command, cwd=pack, capture_output=True, text=True, errors="replace")
        assert run.returncode == 0, run.stdout[-3000:]
        assert "Float too large" not in run.stdout
        assert (pack / f"{name}.pdf").stat().st_size > 10_000


def test_pack_needs_neither_tensorflow_nor_keras():
    blocked = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras"):
            raise ImportError(f"{name} is blocked")
sys.meta_path.insert(0, Blocked())
try:
    import keras
except ImportError as error:
    assert "blocked" in str(error)
from blastfold.reporting.publication import checklist, document, methods, provenance, records
print(sorted(name for name in sys.modules if name in ("tensorflow", "keras")))
"""
    run = subprocess.run(
        [sys.executable, "-c", blocked],
        cwd=REPOSITORY / "workflow" / "scripts",
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (listing(["a"]), "a"),
        (listing(["a", "b", "c"]), "a, b and c"),
        (listing([]), ""),
        (span([1034, 7]), "7 to 1,034"),
        (span([7, 7]), "7"),
        (percent(1 / 3), "33.3 %"),
        (percent(1), "100 %"),
        (duration(59), "59 seconds"),
        (duration(150), "2.5 minutes"),
        (duration(9000), "2.5 hours"),
    ],
)
def test_wording(text, expected):
    assert text == expected
