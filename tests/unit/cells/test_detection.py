"""Files of photographs and slides: scale, tables, and files that cannot be used."""

import os

import cv2
import numpy as np
import pandas as pd
import pytest
from support.smears import grainy, write_image
from support.touching_smears import draw_smear

from blastfold.cells import tables
from blastfold.cells.detection import Scale, given_scale, search_files
from blastfold.cells.sources import stored_size
from blastfold.cells.truth import compare_with_positions
from blastfold.core.detection_tables import outline_of
from blastfold.core.errors import InputError
from blastfold.core.names import BY_ROUND_CELLS, GIVEN_SCALE
from blastfold.core.smear_scale import MICROMETRES
from blastfold.core.tables import write_table
from blastfold.slides.generated_slide import write_pyramid


@pytest.fixture(scope="module")
def smear():
    return draw_smear(8, 4.4, (70, 93), alone=3, pairs=1)


@pytest.mark.parametrize("ending", ["jpg", "png", "bmp", "tif"])
def test_every_format_of_photographs_gives_the_cells(tmp_path, smear, ending):
    picture, centres = smear
    write_image(tmp_path / f"a smear.{ending}", picture)
    (searched,) = search_files([tmp_path / f"a smear.{ending}"], report=None)
    assert searched.problem == ""
    assert (searched.width, searched.height) == picture.shape[1::-1]
    assert sum(cell.set_aside == "" for cell in searched.cells) == len(centres)
    assert searched.scale.diameter == pytest.approx(4.4 * MICROMETRES, rel=0.1)


def test_a_slide_with_levels_gives_the_cells_in_pixels_of_the_finest(tmp_path, smear):
    picture, _ = smear
    large = cv2.resize(np.tile(picture, (1, 2, 1)), None, fx=2, fy=2)
    write_pyramid(tmp_path / "slide.tif", large, reductions=(2,))
    (searched,) = search_files([tmp_path / "slide.tif"], report=None)
    write_image(tmp_path / "photograph.png", large)
    (whole,) = search_files([tmp_path / "photograph.png"], report=None)
    assert (searched.width, searched.height) == large.shape[1::-1]
    ours, theirs = (
        np.array([(cell.x, cell.y) for cell in one.cells if cell.set_aside == ""])
        for one in (searched, whole)
    )
    assert len(ours) == len(theirs) >= 8
    assert len(compare_with_positions(ours, theirs, 4).found) == len(ours)


def test_scale_is_common_to_photographs_of_one_size_and_can_be_given(tmp_path, smear):
    picture, _ = smear
    # A photograph with hardly a red cell takes the scale of the others of its size.
    empty = np.full_like(picture, 225)
    cv2.circle(empty, (100, 100), 20, (100, 70, 160), -1)
    files = [tmp_path / name for name in ("1.png", "2.png", "3.png")]
    for file, shown in zip(
        files, (picture, grainy(empty), picture.transpose(1, 0, 2)), strict=True
    ):
        write_image(file, shown)
    found = search_files(files, report=None)
    assert len({one.scale for one in found}) == 1
    assert found[0].scale.found_by == BY_ROUND_CELLS
    assert sum(cell.set_aside == "" for cell in found[1].cells) == 1
    given = search_files(files[:1], {"micrometres_per_pixel": 0.2}, report=None)[0].scale
    assert given == Scale(MICROMETRES / 0.2, GIVEN_SCALE, 0)
    assert given_scale({"red_cell_diameter": 91}).diameter == 91
    with pytest.raises(InputError, match="expected one of them"):
        given_scale({"red_cell_diameter": 91, "micrometres_per_pixel": 0.2})
    with pytest.raises(InputError, match="positive"):
        given_scale({"red_cell_diameter": -3})


def test_files_that_cannot_be_used_stop_no_other(tmp_path, smear):
    picture, centres = smear
    write_image(tmp_path / "good.jpg", picture)
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no photograph")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.tif").write_bytes(b"II*\x00\x08\x00")
    write_image(tmp_path / "pixel.png", np.zeros((1, 1, 3), np.uint8))
    write_image(tmp_path / "wide.png", np.full((3, 30000, 3), 230, np.uint8))
    os.mkfifo(tmp_path / "pipe.png")
    names = ["cut.jpg", "cut.tif", "empty.png", "good.jpg", "pipe.png", "pixel.png", "text.png"]
    names += ["wide.png", "missing.png"]
    found = search_files([tmp_path / name for name in names], threads=2, report=None)
    problems = {name: one.problem for name, one in zip(names, found, strict=True)}
    assert problems.pop("good.jpg") == ""
    assert "truncated" in problems["cut.jpg"]
    assert "damaged TIFF" in problems["cut.tif"]
    assert "empty" in problems["empty.png"]
    assert "not a regular file" in problems["pipe.png"]
    assert "not a" in problems["text.png"]
    assert "cannot be read" in problems["missing.png"]
    for name in ("pixel.png", "wide.png"):
        assert "set red_cell_diameter" in problems[name]
    assert sum(cell.set_aside == "" for cell in found[3].cells) == len(centres)


def test_a_wide_photograph_is_searched_tile_by_tile(tmp_path, smear):
    picture, centres = smear
    glass = np.full((picture.shape[0], 16000, 3), 225, np.uint8)
    for left in (0, 7000, 16000 - picture.shape[1]):
        glass[:, left : left + picture.shape[1]] = picture
    write_image(tmp_path / "wide.png", glass, cv2.IMWRITE_PNG_COMPRESSION, 1)
    (searched,) = search_files([tmp_path / "wide.png"], {"red_cell_diameter": 32}, report=None)
    assert searched.width == 16000
    assert sum(cell.set_aside == "" for cell in searched.cells) == 3 * len(centres)


def test_sizes_are_read_from_headers(tmp_path):
    for ending in ("jpg", "png", "bmp"):
        write_image(tmp_path / f"one.{ending}", np.zeros((30, 50, 3), np.uint8))
        assert stored_size(tmp_path / f"one.{ending}") == (30, 50)


def test_tables_have_every_cell_and_every_file(tmp_path, smear):
    picture, centres = smear
    write_image(tmp_path / "b.png", picture)
    (tmp_path / "bad.png").write_text("no photograph")
    files = [tmp_path / "b.png", tmp_path / "bad.png"]
    found = search_files(files, report=None)
    names = tables.short_names(files, tmp_path)
    write_table(tables.cell_table(found, names), tmp_path / "cells.tsv")
    write_table(tables.photograph_table(found, names), tmp_path / "photographs.tsv")
    cells = tables.read_cells(tmp_path / "cells.tsv")
    whole = cells[cells["set_aside"] == ""]
    assert len(whole) == len(centres)
    assert cells["cell"].tolist() == list(range(1, len(cells) + 1))
    # Areas of generated leukocytes: discs of 3.9 to 6.9 micrometres.
    assert whole["area"].between(np.pi * 3.5**2, np.pi * 7.5**2).all()
    assert (whole["nucleus_area"] < whole["area"]).all()
    # A pair that touches is nearer than any two others.
    assert (whole["nearest"] < 15).sum() == 2
    outline = outline_of(whole["outline"].iloc[0])
    first = whole.iloc[0]
    assert outline[:, 0].min() == pytest.approx(first["left"], abs=2)
    assert outline[:, 1].max() == pytest.approx(first["top"] + first["height"], abs=2)
    files = tables.read_photographs(tmp_path / "photographs.tsv").set_index("photograph")
    assert files.loc["b.png", "leukocytes"] == len(centres)
    assert files.loc["b.png", "micrometres_per_pixel"] == pytest.approx(1 / 4.4, rel=0.1)
    assert "not a" in files.loc["bad.png", "problem"]
    assert pd.isna(files.loc["bad.png", "red_cell_diameter"])


def test_nearest_leukocytes_leave_out_what_is_set_aside():
    places = np.array([[0, 0], [3, 4], [0, 1], [30, 0]])
    leukocytes = np.array([True, True, False, False])
    nearest = tables.nearest_leukocytes(places, leukocytes)
    np.testing.assert_allclose(nearest, [5, 5, 1, np.sqrt(27**2 + 4**2)])
    assert np.isnan(tables.nearest_leukocytes(places[:1], leukocytes[:1])).all()
    assert np.isnan(tables.nearest_leukocytes(places, np.zeros(4, bool))).all()
    assert len(tables.nearest_leukocytes(np.zeros((0, 2)), np.zeros(0, bool))) == 0


def test_no_cells_and_no_files_give_tables_with_headers_only():
    assert list(tables.cell_table([], []).columns) == list(tables.CELL_COLUMNS)
    assert tables.photograph_table([], []).empty
