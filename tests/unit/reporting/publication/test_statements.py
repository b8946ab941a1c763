"""Every statement of methods and checklists against the records of experiments of many shapes."""

import json
from typing import NamedTuple

import pandas as pd
import pytest
from support.repository import REPOSITORY

from blastfold.core.errors import InputError
from blastfold.reporting.publication.checklist import facts, fill_checklist, read_checklist
from blastfold.reporting.publication.methods import STATISTICS, methods_sections
from blastfold.reporting.publication.records import read_records
from blastfold.statistics import comparison, intervals

CHECKLISTS = REPOSITORY / "resources" / "checklists"


class Shape(NamedTuple):
    """What an experiment consists of.

    Attributes:
        formats: Format of every data set that is trained on, by name.
        folds: Folds of every protocol, by name.
        external: Names of data sets that networks are tested on.
        gap: Images that two protocols have in common; None without a comparison of protocols.
        method: The recommended interval of pooled images.
        transfer: Whether the model starts from a source task.
        finished: Whether anything was trained.
    """

    formats: dict[str, str]
    folds: dict[str, int]
    external: tuple[str, ...] = ()
    gap: int | None = None
    method: str = "jackknife-t"
    transfer: bool = False
    finished: bool = True


SHAPES = {
    "one split of own images": Shape({"cells": "folder"}, {"split": 1}, method="wilson"),
    "cross-validation and external test": Shape({"cells": "folder"}, {"folds": 3}, ("other",)),
    "one network and external test": Shape({"cells": "all-idb2"}, {"split": 1}, ("other",)),
    "two protocols with common images": Shape({"smears": "demo"}, {"split": 1, "folds": 5}, (), 40),
    "two protocols without common images": Shape({"cells": "folder"}, {"split": 1, "x": 2}, (), 0),
    "tiles, cells and transfer": Shape(
        {"tiles": "tiles", "cells": "folder"}, {"folds": 2}, transfer=True
    ),
    "both external tests": Shape({"cells": "folder"}, {"split": 1, "folds": 4}, ("other", "third")),
    "nothing finished": Shape({"cells": "folder"}, {"folds": 2}, ("other",), finished=False),
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list) and (not content or "view" in content[0] or "scope" in content[0]):
        pd.DataFrame(content).to_csv(path, sep="\t", index=False)
    else:
        path.write_text(json.dumps(content))
    return path


def run_of(fold):
    settings = {"architecture": "simple_cnn", "augmentation": {}, "batch_size": 8, "epochs": 2}
    settings |= {"class_weights": True, "learning_rate": 0.1, "preprocessing": "mean_image_plain"}
    return {
        "fold": fold,
        "settings": settings | {"train": "all"},
        "device": "CPU",
        "seed": 1,
        "seconds": 9.0,
        "digests": {"weights": None},
        "images": {"train": 9, "validation": 0, "test": 3},
        "parameters": 10,
        "trainable_parameters": 10,
        "versions": {"python": "3.11"},
    }


def dataset_of(name, data_format):
    return {
        "name": name,
        "format": data_format,
        "images": 12,
        "classes": ["normal", "blast"],
        "class_images": {"normal": 6, "blast": 6},
        "subjects": 4,
        "pictures": 0,
        "rejected": 0,
        "image_size": [20, 20],
        "source_sizes": [[20, 20, 12]],
        "parts": {},
        "asked_parts": [],
    }


def config_of(shape):
    datasets = shape.formats | dict.fromkeys(shape.external, "folder")
    tiling = {"tile_size": 20, "unit": "pixels", "overlap": 0, "mpp": None, "sheet": "s.tsv"}
    tiling |= {"tissue_threshold": None, "minimum_tissue": 0.5, "maximum_pen": 0.1}
    weights = {"pretrained_on": "source"} if shape.transfer else "none"
    return {
        "seed": 1,
        "slides": tiling | {"minimum_sharpness": 0},
        "datasets": {
            name: {"title": name.capitalize(), "format": kind} for name, kind in datasets.items()
        },
        "protocols": {
            name: {
                "title": f"{count} x {name}",
                "kind": "kfold" if count > 1 else "holdout",
                "group_by": "subject",
            }
            for name, count in shape.folds.items()
        },
        "models": {"net": {"title": "Net", "weights": weights}},
        "pretraining": {"source": {"title": "tiles"}},
    }


def experiment_of(folder, shape):
    """Write the records of an experiment of this shape, and read them."""
    splits = [(data, name, count) for data in shape.formats for name, count in shape.folds.items()]
    stored = {
        "datasets": [
            write(folder / "datasets" / name / "dataset.json", dataset_of(name, kind))
            for name, kind in (shape.formats | dict.fromkeys(shape.external, "folder")).items()
        ]
    }
    asked = [(data, name, "net", count) for data, name, count in splits]
    if not shape.finished:
        return read_records(config_of(shape), asked, **stored)
    limits = {"view": "pooled", "method": shape.method, "level": 0.95, "recommended": True}
    point = {"scope": "pooled", "operating_point": "specificity-0.90", "sensitivity_lower": 0.1}
    for data, name, count in splits:
        place = folder / "evaluation" / data / name / "net"
        files = {
            "runs": write(place / "runs.json", [run_of(fold) for fold in range(count)]),
            "metrics": write(place / "metrics.tsv", [{"scope": "pooled", "metric": "accuracy"}]),
            "intervals": write(place / "intervals.tsv", [limits]),
            "roc_bands": write(place / "roc_band.tsv", [{"scope": "pooled"}]),
            "operating_points": write(place / "operating_points.tsv", [point]),
        }
        for external in shape.external:
            tested = folder / "external" / data / name / "net" / external
            record = {"networks": [f"{fold}" for fold in range(count)]}
            files["external"] = write(tested / "record.json", record)
            files["external_intervals"] = write(tested / "intervals.tsv", [limits])
            for kind in ("external", "external_intervals"):
                stored.setdefault(kind, []).append(files.pop(kind))
        for kind, path in files.items():
            stored.setdefault(kind, []).append(path)
    if shape.gap is not None:
        row = {"view": "pooled", "method": "jackknife-t", "recommended": True}
        gap = [row | {"common_images": shape.gap}]
        data = next(iter(shape.formats))
        stored["gaps"] = [write(folder / "evaluation" / data / "protocol_gap.tsv", gap)]
    return read_records(config_of(shape), asked, **stored)


def texts_of(records):
    """The methods section, and the answers of both checklists by item."""
    known = facts(records, {"commit": "c0ffee", "dirty": False})
    answers = {
        (name, row["item"]): row["answer"]
        for name in ("claim_2024", "tripod_ai")
        for row in fill_checklist(read_checklist(CHECKLISTS / f"{name}.tsv"), known)
    }
    methods = methods_sections(records)
    return " ".join(" ".join(sentences) for sentences in methods.values()), answers


def averages(shape):
    return shape.finished and bool(shape.external) and max(shape.folds.values()) > 1


STATEMENTS = [
    ("The predictions of networks were not combined.", lambda s: s.finished and not averages(s)),
    ("networks of the folds of a training were averaged", averages),
    ("All other predictions are those of single networks.", averages),
    ("Nothing was fitted on these images", lambda s: s.finished and bool(s.external)),
    ("compared with those of single networks", averages),
    ("computed by a bootstrap of leakage groups", lambda s: s.finished),
    ("the same models under different protocols were compared", lambda s: s.gap is not None),
    ("on the images that both protocols tested", lambda s: bool(s.gap)),
    ("because no image was tested under both", lambda s: s.gap == 0),
    ("Wilson's interval", lambda s: s.method == "wilson"),
    ("a jackknife over leakage groups", lambda s: s.finished and s.method != "wilson"),
    ("No trained network was updated afterwards.", lambda s: s.finished and not s.transfer),
    ("began with the weights of a network that was trained", lambda s: s.transfer),
    ("tiles of tissue", lambda s: "tiles" in s.formats.values()),
    ("computer-generated", lambda s: "demo" in s.formats.values()),
    ("Where there are several folds", lambda s: s.finished and max(s.folds.values()) > 1),
]
"""Phrases of sentences, and when they are true."""


@pytest.mark.parametrize("name", SHAPES)
def test_every_statement_is_made_exactly_where_it_is_true(name, tmp_path):
    shape = SHAPES[name]
    methods, answers = texts_of(experiment_of(tmp_path, shape))
    everything = " ".join([methods, *answers.values()])
    for phrase, is_true in STATEMENTS:
        assert (phrase in everything) == is_true(shape), phrase
    # No name of a method and no key of a file is left as it is stored.
    for stored in ("wilson", "jackknife-t", "corrected-t", "bootstrap-", "roc_band"):
        assert stored not in everything


@pytest.mark.parametrize("name", [name for name, shape in SHAPES.items() if shape.external])
def test_external_tests_are_described_with_their_networks_and_images(name, tmp_path):
    shape = SHAPES[name]
    methods, answers = texts_of(experiment_of(tmp_path, shape))
    answer = answers["claim_2024", "33"]
    if not shape.finished:
        assert answer == "to be completed by the authors"
        return
    for external in shape.external:
        sentence = f"predicted all 12 images of {external.capitalize()}."
        assert sentence in answer
        assert sentence in methods
        assert f"{external.capitalize()} comprised 12" in methods
    several = sorted(count for count in shape.folds.values() if count > 1)
    if several:
        assert f"probabilities of the {several[0]} networks" in answers["claim_2024", "27"]
    assert ("Where a training has one network" in answer) == (1 in shape.folds.values())


def test_classes_that_one_side_lacks_are_described(tmp_path):
    records = experiment_of(tmp_path, SHAPES["cross-validation and external test"])
    changed = {"left_out": {"basophil": 3, "artefact": 1}, "absent": ["monocyte"]}
    tests = [test._replace(**changed) for test in records.external]
    methods, answers = texts_of(records._replace(external=tests))
    for text in (methods, answers["claim_2024", "33"]):
        assert "predicted 8 of the 12 images of Other. Images of classes that" in text
        assert "were left out: basophil (3) and artefact (1). No image was of the class" in text


def test_an_external_test_that_did_not_run_is_not_described(tmp_path):
    shape = SHAPES["cross-validation and external test"]
    records = experiment_of(tmp_path, shape)._replace(external=[])
    methods, answers = texts_of(records)
    assert "predicted all" not in methods
    assert answers["claim_2024", "33"] == "to be completed by the authors"
    assert "not combined" in answers["claim_2024", "27"]


def test_every_method_of_intervals_and_tests_has_words():
    methods = {*intervals.METHODS, *comparison.METHODS, "image-jackknife-t", "clustered-mcnemar"}
    assert methods <= set(STATISTICS)
    for words in STATISTICS.values():
        assert words.split()[0] in ("a", "the", "Wilson's", "DeLong's", "McNemar's")


def test_a_record_of_another_form_is_named(tmp_path):
    path = write(tmp_path / "external" / "a" / "b" / "c" / "d" / "record.json", {"device": "CPU"})
    with pytest.raises(InputError, match="'networks' is missing"):
        read_records({}, [], external=[path])


def test_more_than_two_classes_are_named_with_the_positive_ones(tmp_path):
    records = experiment_of(tmp_path, SHAPES["one split of own images"])
    names = ["Benign", "Pre-B", "Pro_B"]
    described = records.datasets["cells"] | {
        "classes": names,
        "class_images": dict(zip(names, (5, 4, 3), strict=True)),
    }
    entry = records.config["datasets"]["cells"] | {"positive": names[1:]}
    records = records._replace(
        datasets={"cells": described},
        config=records.config | {"datasets": {"cells": entry}},
        class_metrics=("accuracy", "macro_auc", "kappa"),
    )
    sections = methods_sections(records)
    text = " ".join(sections["Evaluation"])
    classes = "Cells has 3 classes (Benign, Pre-B and Pro_B)"
    assert f"{classes}; positive against the rest: Pre-B and Pro_B." in text
    assert "the sum over the positive classes" in text
    assert "accuracy, the mean area under the ROC curves of the classes against all others" in text
    assert "(macro AUC) and Cohen's kappa were measured" in text
    assert "all classes having the same influence on the loss" in " ".join(sections["Training"])
    answers = facts(records, {})
    assert "5 Benign, 4 Pre-B, 3 Pro_B" in answers["sample_size"]
    assert "all classes have equal influence" in answers["class_balance"]
    assert "'Pre-B' and 'Pro_B' together" in answers["output"]


def test_two_classes_are_described_as_ever(tmp_path):
    records = experiment_of(tmp_path, SHAPES["one split of own images"])
    text = " ".join(methods_sections(records)["Evaluation"])
    assert "The positive class is 'blast'." in text
    assert "second reading" not in text
    assert "6 blast" in facts(records, {})["sample_size"]
