"""A whole slide from its file to the overlay and the page: cells found, classified and shown."""

import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from support.repository import REPOSITORY
from support.small_detectors import write_detector
from support.small_exports import write_export
from support.smears import write_image
from support.touching_smears import draw_smear

from blastfold.cells.truth import compare_with_positions
from blastfold.core.tables import read_table
from blastfold.reporting.smears import overlays
from blastfold.reporting.smears.application import Application
from blastfold.reporting.smears.content import dataset_lines, detection_words, summary
from blastfold.reporting.smears.page import LONGEST, write_smears_page
from blastfold.slides.generated_slide import write_pyramid
from blastfold.smears.classification import SmearFiles, classify_cells
from blastfold.smears.detection import detect_smear_cells

TEMPLATES = sorted((REPOSITORY / "workflow" / "page").iterdir())
SCALE, DOWN, ACROSS = 4.4, 4, 6
"""Pixels per micrometre, and how often a small smear is repeated."""


@pytest.fixture(scope="module")
def applied(tmp_path_factory):
    """A slide of 2464 x 1232 pixels with a pyramid, a photograph and a damaged slide."""
    folder = tmp_path_factory.mktemp("slides")
    (folder / "raw").mkdir()
    field, centres = draw_smear(31, SCALE, (70, 93), alone=2, pairs=1)
    height, width = field.shape[:2]
    write_pyramid(folder / "raw" / "P1.tif", np.tile(field, (DOWN, ACROSS, 1)), reductions=(2, 4))
    write_image(folder / "raw" / "P2.png", field)
    whole = (folder / "raw" / "P1.tif").read_bytes()
    (folder / "raw" / "P3.tif").write_bytes(whole[:400])
    export = write_export(folder / "export", size=(32, 32), micrometres=[18.0, 18.0])
    made = {name: folder / f"detected-{name}.tsv" for name in ("cells", "photographs", "listed")}
    detect_smear_cells(folder / "raw", {}, None, made, threads=2)
    tables = {name: folder / f"{name}.tsv" for name in ("cells", "photographs", "subjects")}
    files = tables | {"crops": folder / "crops.npy", "record": folder / "record.json"}
    settings = {"threshold": "threshold-0.5"}
    sources = SmearFiles(folder=folder / "raw", model=export, **made)
    classify_cells(sources, settings, None, files, threads=2)
    corners = np.array([(x, y) for y in range(DOWN) for x in range(ACROSS)]) * (width, height)
    return folder, files, (corners[:, None] + centres[None]).reshape(-1, 2)


def test_every_cell_of_a_slide_is_found_and_classified_once(applied):
    _, files, centres = applied
    cells = read_table(files["cells"], text=("photograph", "set_aside", "note"))
    slide = cells[(cells["photograph"] == "P1.tif") & (cells["set_aside"] == "")]
    compared = compare_with_positions(slide[["x", "y"]].to_numpy(), centres, 3 * SCALE)
    assert len(compared.found) == len(centres) == len(slide) == 96
    assert slide["probability"].notna().all()
    # The crop is that of the finest level: the same cell of the photograph has the same one.
    crops = np.load(files["crops"])
    photograph = cells[(cells["photograph"] == "P2.png") & (cells["set_aside"] == "")]
    for _, cell in photograph.iterrows():
        apart = np.hypot(slide["x"] - cell["x"], slide["y"] - cell["y"])
        same = slide.loc[apart.idxmin()]
        ours, theirs = (crops[int(row["crop"])].astype(int) for row in (cell, same))
        assert np.abs(ours - theirs).mean() < 12
    photographs = read_table(files["photographs"], text=("photograph", "problem"))
    problems = dict(zip(photographs["photograph"], photographs["problem"], strict=True))
    assert (problems["P1.tif"], problems["P2.png"]) == ("", "")
    assert "TIFF" in problems["P3.tif"]


def test_a_slide_is_shown_small_with_its_outlines_in_the_right_places(
    applied, tmp_path, monkeypatch
):
    folder, files, centres = applied
    monkeypatch.setattr(overlays, "LONGEST", 900)
    overlays.draw_overlays(files, folder / "raw", tmp_path / "overlays")
    drawn = cv2.imread(str(tmp_path / "overlays" / "P1.jpg"))
    assert drawn.shape[1] <= 900
    assert sorted(path.name for path in (tmp_path / "overlays").iterdir()) == ["P1.jpg", "P2.jpg"]
    page, pictures = tmp_path / "smears.html", tmp_path / "smears_pictures"
    names = ("Slides", {"model": "Small network"})
    write_smears_page(names, files, folder / "raw", TEMPLATES, page, pictures)
    html = page.read_text("utf-8")
    assert "3 photographs, 1 cannot be used" in html
    viewer = json.loads(re.search(r'id="viewer-smears">(.*?)</script>', html)[1])
    slide = viewer["photographs"][0]
    assert slide["name"] == "P1.tif"
    assert max(slide["size"]) <= LONGEST
    assert slide["leukocytes"] == 96
    # The middle of each outline is a cell of the slide, at the scale of the picture.
    outlines = viewer["outlines"][slide["first"] : slide["first"] + slide["cells"]]
    points = [np.array([pair.split(",") for pair in one.split()], float) for one in outlines]
    middles = np.array([(one.min(0) + one.max(0)) / 2 for one in points])
    scale = slide["size"][0] / read_table(files["photographs"])["width"].max()
    compared = compare_with_positions(middles, centres * scale, 4 * SCALE * scale)
    assert len(compared.found) == 96


def test_the_page_has_the_detector_that_found_the_cells(tmp_path):
    declared = write_detector(tmp_path / "small.onnx")
    del declared["file"]
    (text,) = detection_words({"red_cell_diameter": 30, "onnx": declared})
    assert declared["sha256"] in text
    assert "scores from 0.6" in text
    detector = {"red_cell_diameter": 30, "onnx": declared}
    lines = dataset_lines(("normal", "blast"), "blast", detector)
    entry = yaml.safe_load(lines)["datasets"]["corrected"]
    assert entry["detector"]["red_cell_diameter"] == 30
    assert entry["detector"]["onnx"].items() >= declared.items()


def test_several_positive_classes_are_counted_together_and_keep_their_names():
    classes, positive = ("lymphocyte", "L1: blast", "L2"), "L1: blast + L2"
    cells = pd.DataFrame({"crop": range(4), "predicted": [*classes, "L2"], "out_of_domain": np.nan})
    record = {"positive": positive, "classes": list(classes), "calibration_note": ""}
    application = Application("t", cells, pd.DataFrame(), pd.DataFrame(), record)
    assert summary(application) == [
        "3 of 4 classified cells (75 %) are predicted as L1: blast + L2."
    ]
    entry = yaml.safe_load(dataset_lines(classes, positive, {}))["datasets"]["corrected"]
    assert list(entry["classes"].items()) == [(name, [name]) for name in classes]
    assert entry["positive"] == list(classes[1:])
