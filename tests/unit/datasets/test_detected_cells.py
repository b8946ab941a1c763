"""Photographs as a data set: detected cells become images with the labels of boxes or sheets."""

import json
import shutil

import numpy as np
import pytest
from support.small_detectors import write_detector
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.cells.tables import read_cells, read_photographs
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.core.manifest import read_manifest
from blastfold.core.names import CUT_BY_EDGE
from blastfold.datasets.detected_cells import detect_cells, detected_in
from blastfold.datasets.formats import list_files
from blastfold.datasets.importing import import_dataset

SCALE, SIDE = 4.4, 82
"""Pixels per micrometre; side of a crop, 2.5 red cells of 7.4 micrometres."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photographs of two subjects, a text, and the tables of their cells."""
    root = tmp_path_factory.mktemp("smears")
    centres = {}
    for number, name in enumerate(("P1/one.png", "P2/two.png")):
        picture, centres[name] = draw_smear(20 + number, SCALE, (70, 93), alone=2, pairs=1)
        write_image(root / name, picture)
    (root / "readme.txt").write_text("Photographs of two subjects.")
    (root / "broken.png").write_text("no photograph")
    tables = tmp_path_factory.mktemp("tables")
    detect_cells(root, {}, None, tables / "cells.tsv", tables / "photographs.tsv")
    return root, centres, tables


def listed(folder, **settings):
    root, _, tables = folder
    return list_files("photographs", root, settings | {"detected": tables})


def labels_of(listing):
    usable = listing.records[listing.records["problem"] == ""]
    return dict(zip(usable["image_id"], usable["class"], strict=True)), usable


def write_positions(root, centres, name="positions.csv"):
    rows = [
        f"{file},{x:.0f},{y:.0f},{'blast' if number % 2 else 'normal'},{file[:2]}"
        for file, places in centres.items()
        for number, (x, y) in enumerate(places.tolist())
    ]
    (root / name).write_text("\n".join(["path,x,y,label,subject", *rows]))
    return {"sheet": name}


def test_cells_have_the_labels_of_positions(folder):
    root, centres, _ = folder
    listing = listed(folder, **write_positions(root, centres))
    _, usable = labels_of(listing)
    assert len(usable) == sum(map(len, centres.values())) == 8
    for row in usable.itertuples():
        middle = np.array([row.crop_x + row.crop_width / 2, row.crop_y + row.crop_height / 2])
        apart = np.hypot(*(centres[row.file] - middle).T)
        assert apart.min() < 6
        assert row.label == int(apart.argmin()) % 2
        assert row.subject == row.file[:2]
        assert row.picture == row.file[:-4]
        assert (row.crop_width, row.crop_height) == pytest.approx((SIDE, SIDE), abs=5)
    refused = listing.records[listing.records["problem"] != ""]
    assert refused["file"].tolist() == ["broken.png"]
    assert "not a" in refused["problem"].iloc[0]
    assert listing.ignored == {"positions.csv": "sheet", "readme.txt": "document"}


def test_a_position_can_be_no_leukocyte(folder):
    root, centres, _ = folder
    (file, places), (other, _) = centres.items()
    labels = ("not_a_leukocyte", "blast", "normal")
    rows = [
        f"{file}\t{x:.1f}\t{y:.1f}\t{label}\tA\tdetected"
        for (x, y), label in zip(places.tolist(), labels, strict=False)
    ]
    text = "\n".join(["path\tx\ty\tlabel\tsubject\torigin", *rows])
    (root / "corrections.tsv").write_text(text)
    # The cell is left out even where its photograph has a class.
    settings = {
        "pattern": "{class}/*",
        "classes": {"normal": ["P1", "normal"], "blast": ["P2", "blast"]},
    }
    labelled = listed(folder, sheet="corrections.tsv")
    by_class = listed(folder, sheet="corrections.tsv", **settings)
    (root / "corrections.tsv").unlink()
    _, usable = labels_of(labelled)
    assert usable["class"].tolist() == ["blast", "normal"]
    assert set(usable["subject"]) == {"A"}
    assert {odd["code"]: odd.get("cells") for odd in labelled.odd}["unlabelled_cells"] == 5
    _, usable = labels_of(by_class)
    assert usable["file"].value_counts().to_dict() == {other: 4, file: 3}


def test_cells_have_the_labels_of_boxes_and_others_are_counted(folder):
    root, centres, _ = folder
    rows = [
        f"{file},{'blast' if file[1] == '1' else 'normal'},{x - 20:.1f},{y - 20:.1f},40,40"
        for file, places in centres.items()
        for x, y in places[1:].tolist()
    ]
    # A box far from any cell has no detection.
    rows.append("P1/one.png,blast,2,2,5,5")
    (root / "boxes.csv").write_text("\n".join(["file,label,x,y,width,height", *rows]))
    listing = listed(folder, boxes="boxes.csv", pattern="{subject}/*", crop=(50, 60))
    (root / "boxes.csv").unlink()
    _, usable = labels_of(listing)
    assert len(usable) == 6
    assert set(zip(usable["subject"], usable["class"], strict=True)) == {
        ("P1", "blast"),
        ("P2", "normal"),
    }
    assert set(zip(usable["crop_height"], usable["crop_width"], strict=True)) == {(50, 60)}
    (odd,) = [odd for odd in listing.odd if odd["code"] == "unlabelled_cells"]
    assert (odd["cells"], odd["of"]) == (2, 8)


def test_all_cells_of_a_photograph_can_have_one_label(folder):
    root, _, _ = folder
    (root / "sheet.tsv").write_text(
        "path\tlabel\tsubject\nP1/one.png\tblast\tA\nP2/two.png\tnormal\tB\n"
    )
    by_sheet = labels_of(listed(folder, sheet="sheet.tsv"))
    (root / "sheet.tsv").unlink()
    by_pattern = labels_of(
        listed(folder, pattern="{class}/*", classes={"normal": ["P2"], "blast": ["P1"]})
    )
    assert by_sheet[0] == by_pattern[0]
    assert len(by_sheet[0]) == 8
    assert set(by_sheet[1]["subject"]) == {"A", "B"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\nP1/one.png,blast\nP1/one.png,normal", "row 3.*has two labels"),
        ("path,label,x,y\nP1/one.png,blast,4,", "row 2: x '4' and y ''"),
        ("path,label\nP1/one.png,round", "'round'"),
        ("path,label\nP9.png,blast", "P9.png"),
        ("path,label\nP1/one.png,not_a_leukocyte", "row 2.*one position"),
    ],
)
def test_sheets_with_faults_are_refused_by_row(folder, text, message):
    root, _, _ = folder
    (root / "bad.csv").write_text(text)
    try:
        with pytest.raises(InputError, match=message):
            listed(folder, sheet="bad.csv")
    finally:
        (root / "bad.csv").unlink()


def test_without_anything_that_names_labels_there_is_an_error(folder):
    with pytest.raises(InputError, match="nothing gives the labels"):
        listed(folder, pattern="{subject}/*")


def test_detected_cells_are_imported_like_any_images(folder, tmp_path):
    root, centres, tables = folder
    settings = {"format": "photographs", "image_size": (32, 32)} | write_positions(root, centres)
    outputs = [tmp_path / name for name in ("images.npy", "m.tsv", "r.tsv", "dataset.json")]
    settings = detected_in(settings, [tables / "cells.tsv", tables / "photographs.tsv"])
    import_dataset("smears", root, settings, None, None, *outputs, threads=2)
    assert np.load(outputs[0]).shape == (8, 32, 32, 3)
    manifest = read_manifest(outputs[1])
    assert manifest["picture"].nunique() == manifest["subject"].nunique() == 2
    assert (manifest["photograph"] == manifest["file"]).all()
    digests = [digest_file(root / name) for name in manifest["file"]]
    assert manifest["source_sha256"].tolist() == digests
    facts = json.loads(outputs[3].read_text())
    assert facts["files"]["imported"] == 2
    assert facts["files"]["rejected"] == 1
    assert facts["files"]["found"] == sum(facts["files"][k] for k in ("imported", "rejected")) + 2


def test_tables_of_a_folder_name_every_photograph(folder):
    _, _, tables = folder
    photographs = read_photographs(tables / "photographs.tsv")
    assert photographs["photograph"].tolist() == ["P1/one.png", "P2/two.png", "broken.png"]
    assert photographs["leukocytes"].tolist() == [4, 4, 0]
    assert not (read_cells(tables / "cells.tsv")["set_aside"] == CUT_BY_EDGE).any()


def test_a_detector_in_a_file_takes_the_place_of_the_classical_one(folder, tmp_path):
    root, _, _ = folder
    # Nothing has this score: where the classical detector finds cells, this one finds none.
    declared = write_detector(tmp_path / "small.onnx") | {"least_score": 1.0}
    detector = str(shutil.move(tmp_path / "small.onnx", tmp_path / "moved.onnx"))
    tables = [tmp_path / "cells.tsv", tmp_path / "photographs.tsv"]
    detect_cells(root, {"detector": {"onnx": declared}}, None, *tables, detector=detector)
    assert read_cells(tables[0]).empty
    with pytest.raises(InputError, match=r"small\.onnx does not exist"):
        detect_cells(root, {"detector": {"onnx": declared}}, None, *tables)


def test_folders_without_usable_photographs_are_refused(tmp_path):
    outputs = (tmp_path / "cells.tsv", tmp_path / "photographs.tsv")
    with pytest.raises(InputError, match="does not exist"):
        detect_cells(tmp_path / "missing", {}, None, *outputs)
    raw = tmp_path / "raw"
    raw.mkdir()
    with pytest.raises(InputError, match="has no photograph"):
        detect_cells(raw, {}, None, *outputs)
    (raw / "bad.png").write_text("no photograph")
    with pytest.raises(
        InputError, match=r"No photograph in .* \(1 tried\)\. The first is 'bad.png': not a"
    ):
        detect_cells(raw, {}, None, *outputs)
    assert not outputs[0].exists()
