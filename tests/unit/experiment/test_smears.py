"""Which photographs exported models are applied to: by the config and by a command."""

import json
from types import SimpleNamespace

import pytest
from support.repository import SCHEMA

from blastfold.core.errors import InputError
from blastfold.experiment.config import check_config
from blastfold.experiment.exports import Export, Exports
from blastfold.experiment.exports import take_request as take_export_request
from blastfold.experiment.runs import Runs
from blastfold.experiment.smears import Smears, slug, take_request
from blastfold.experiment.stored_files import StoredFiles


def make_config(**applications):
    return {
        "datasets": {
            "cells": {"format": "folder", "image_size": [64, 64]},
            "drawn": {"format": "demo", "image_size": [64, 64]},
        },
        "protocols": {"folds": {"kind": "kfold", "folds": 3}},
        "models": {"cnn": {"architecture": "simple_cnn"}},
        "experiments": [{"datasets": ["drawn"], "protocols": ["folds"], "models": ["cnn"]}],
        "applications": applications,
    }


def make_smears(request=None, **applications):
    config = check_config(make_config(**applications), SCHEMA)
    runs = Runs(config)
    return Smears(config, Exports(runs, StoredFiles(runs), {}), request or {})


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A working directory with photographs, their sheet and an export from elsewhere."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Ward 3").mkdir()
    (tmp_path / "Ward 3" / "list.csv").write_text("path\n1.png\n")
    (tmp_path / "Ward 3" / "1.png").write_bytes(b"1")
    export = tmp_path / "exported"
    export.mkdir()
    (export / "model.json").write_text(json.dumps({"model": "vgg19", "networks": []}))
    return tmp_path


def of(name):
    return SimpleNamespace(smears=name)


def test_a_command_names_photographs_and_the_folder_of_an_export(places):
    request = {"smears": "Ward 3", "model": "exported", "micrometres_per_pixel": 0.1}
    smears = make_smears(request)
    assert smears.of_request()[0] == "<results>/smears/ward_3_vgg19/cells.tsv"
    name = of("ward_3_vgg19")
    assert smears.place(name).folder == "Ward 3"
    assert smears.model_files(name) == []
    assert list(smears.model_digests(name)) == ["model.json"]
    assert smears.title(name) == "Ward 3, vgg19"
    assert smears.titles(name) == {}
    titles = {"model": "VGG19", "dataset": "Cells", "protocol": "By subject"}
    (places / "exported" / "titles.json").write_text(json.dumps(titles))
    assert make_smears(request).title(name) == "Ward 3, VGG19"
    assert smears.titles(name) == titles
    assert smears.detection_settings(name) == {"detector": {"micrometres_per_pixel": 0.1}}
    first = smears.raw_digest(name)
    (places / "Ward 3" / "1.png").write_bytes(b"2")
    assert smears.raw_digest(name) != first


def test_a_command_names_a_sheet_and_a_model_of_the_config(places):
    request = {"smears": "Ward 3/list.csv", "model": "cnn", "fold": 1, "smears_name": "ward"}
    smears = make_smears(request | {"ignore": "x", "crop_micrometres": 15})
    asked = smears.requested
    assert (asked.name, asked.folder, asked.model) == ("ward", "Ward 3", None)
    assert asked.export == Export("drawn", "folds", "cnn", "fold-1")
    below = "<results>/export/drawn/folds/cnn/fold-1"
    assert f"{below}/model.json" in smears.model_files(of("ward"))
    listed = smears.detection_settings(of("ward"))
    assert listed == {"detector": {}, "sheet": "list.csv", "ignore": ["x"]}
    settings = smears.classification_settings(of("ward"))
    assert settings["crop_micrometres"] == 15
    assert settings["threshold"] == "threshold-0.5"
    # The record has the command without places of this machine.
    command = smears.place(of("ward")).command
    assert command.startswith("snakemake smears --config smears=list.csv model=cnn fold=1 ")


def test_the_config_applies_a_model_to_generated_smears():
    smears = make_smears(other={"export": {"model": "cnn"}, "dataset": "drawn", "title": "Other"})
    assert smears.of_request() == smears.of_every_run()
    assert smears.generated(of("other")) == "<results>/demo/drawn"
    assert smears.raw_digest(of("other")) is None
    assert smears.title(of("other")) == "Other"
    assert smears.titles(of("other")) == {"dataset": "drawn", "protocol": "folds", "model": "cnn"}
    assert smears.detection_settings(of("other")) == {"detector": {}, "generated": True}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"smears": "Ward 9", "model": "exported"}, "smears: 'Ward 9' does not exist"),
        ({"smears": "Ward 3", "model": "absent"}, "'absent', neither a folder nor a model of the"),
        ({"smears": "Ward 3", "model": "Ward 3"}, "model: 'Ward 3' is not the folder of an export"),
        ({"smears": "Ward 3", "model": "cnn", "fold": 7}, "folds has 3 folds"),
        ({"smears": "Ward 3"}, r"smears\.model: is missing, expected one of cnn"),
        ({"smears": "Ward 3", "model": "cnn", "smears_name": "My ward"}, "received 'My ward'"),
        (
            {"smears": "Ward 3", "model": "cnn", "crop_micrometres": "wide"},
            "crop_micrometres: received 'wide'",
        ),
        ({"smears": "Ward 3/1.png", "model": "cnn"}, r"'Ward 3/1\.png' is not a sheet"),
        ({"smears": "Ward 3", "model": "cnn", "boxes": "x"}, "boxes: 'Ward 3/x' does not exist"),
        (
            {"smears": "Ward 3", "model": "cnn", "red_cell_diameter": "wide"},
            "red_cell_diameter: received 'wide'",
        ),
        ({}, r"no photographs are named\. Expected snakemake smears"),
    ],
)
def test_a_command_that_names_nothing_usable_is_an_error(places, request_, message):
    with pytest.raises(InputError, match=message):
        make_smears(request_).of_request()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"export": {"model": "cnn"}}, "expected one of the keys path .* and dataset"),
        ({"dataset": "drawn"}, "expected one of the keys export and model"),
        (
            {"dataset": "cells", "export": {"model": "cnn"}},
            r"applications\.other\.dataset: received 'cells', expected generated smears .*: drawn",
        ),
        ({"dataset": "drawn", "export": {"model": "cnn"}, "crop": 3}, "crop: unknown key"),
        (
            {
                **{"dataset": "drawn", "export": {"model": "cnn"}},
                "detector": {"red_cell_diameter": 30, "micrometres_per_pixel": 0.1},
            },
            r"applications\.other\.detector: received red_cell_diameter and micrometres_per_pixel",
        ),
    ],
)
def test_applications_of_a_config_are_checked(entry, message):
    with pytest.raises(InputError, match=message):
        check_config(make_config(other=entry), SCHEMA)


DETECTOR = {
    **{"file": "found.onnx", "sha256": "0" * 64, "layout": "nchw", "size": [640, 640]},
    **{"scale": 0.0039, "format": "yolo8"},
}


def test_a_command_names_a_detector_whose_place_changes_no_result(places):
    (places / "elsewhere").mkdir()
    (places / "elsewhere" / "found.onnx").write_bytes(b"1")
    (places / "elsewhere" / "yolo.yaml").write_text(json.dumps({"onnx": DETECTOR}))
    request = {"smears": "Ward 3", "model": "exported", "detector": "elsewhere/yolo.yaml"}
    smears = make_smears(request | {"red_cell_diameter": 30})
    name = of("ward_3_vgg19")
    assert smears.place(name).detector == "elsewhere/found.onnx"
    assert smears.place(name).command.endswith("detector=yolo.yaml red_cell_diameter=30")
    settings = smears.detection_settings(name)["detector"]
    assert settings == smears.classification_settings(name)["detector"]
    assert settings["red_cell_diameter"] == 30
    declared = {**DETECTOR, "fit": "pad", "least_score": 0.25}
    del declared["file"]
    assert settings["onnx"].items() >= declared.items()
    assert "file" not in settings["onnx"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("onnx: {file: a.onnx}", r"yolo\.yaml: onnx: the key 'sha256'.* is missing"),
        (json.dumps({"onnx": DETECTOR | {"layout": "hwc"}}), r"onnx\.layout: received 'hwc'"),
        (json.dumps({"onnx": DETECTOR}), r"onnx\.file 'found\.onnx' does not exist"),
        ("micrometres_per_pixel: 0.1\nred_cell_diameter: 9", "expected one of them or none"),
        ("[1, 2]", "holds list, expected the keys of a detector"),
        ("onnx: {", "cannot be read as YAML"),
    ],
)
def test_a_detector_that_cannot_be_used_is_an_error(places, text, message):
    (places / "yolo.yaml").write_text(text)
    with pytest.raises(InputError, match=message):
        make_smears({"smears": "Ward 3", "model": "exported", "detector": "yolo.yaml"}).of_request()


def test_an_incomplete_copy_of_an_export_is_an_error(places):
    networks = [{"graphs": {"networks/fold-0.onnx": "0" * 64}}]
    (places / "exported" / "model.json").write_text(json.dumps({"networks": networks}))
    with pytest.raises(InputError, match=r"fold-0\.onnx does not exist, but model\.json lists it"):
        make_smears({"smears": "Ward 3", "model": "exported"}).of_request()


def test_a_command_repeats_what_it_asked_for_and_prints_what_became_of_it(places):
    smears = make_smears({"smears": "Ward 3", "model": "exported"})
    lines = smears.request_lines()
    assert lines[0] == "Smears: Ward 3, vgg19"
    assert [line.split()[-1] for line in lines[1:]] == ["3", "exported"]
    folder = places / "results" / "smears" / "ward_3_vgg19"
    assert smears.outcome("results") == make_smears().outcome("results") == []
    folder.mkdir(parents=True)
    counts = {"classified": 7, "number": 3, "unusable": 1}
    (folder / "record.json").write_text(json.dumps({"photographs": counts}))
    (folder / "smears.html").write_text("")
    first, second = smears.outcome("results")
    start = "Leukocytes classified: 7. Photographs: 3, of which 1 cannot be used. Research"
    assert first.startswith(start)
    assert second == f"The cells: {(folder / 'smears.html').as_uri()}"


def test_photographs_take_the_keys_of_an_export_along():
    given = {"smears": "Ward 3", "model": "cnn"}
    config = {"seed": 1, **given}
    assert take_request(config, given) == given
    assert take_export_request(config, given) == {}
    assert config == {"seed": 1}
    assert take_request({"model": "cnn"}, {"model": "cnn"}) == {}


def test_slugs_are_names():
    assert slug("Ward 3 (new)") == "ward_3_new"
    assert slug("2024-05") == "smears_2024_05"
    assert slug("病院") == "smears"
