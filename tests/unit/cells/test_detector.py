"""Leukocytes of generated smears and of real photographs, and pictures that show none."""

import itertools
import xml.etree.ElementTree as ElementTree

import cv2
import numpy as np
import pytest
from support.smears import grainy
from support.touching_smears import draw_smear

from blastfold.cells.detection import search_files
from blastfold.cells.detector import find_cells
from blastfold.cells.red_cells import red_cell_diameter, round_red_cells, widest_places
from blastfold.cells.truth import compare_with_boxes, compare_with_positions
from blastfold.core.names import (
    ARTEFACT,
    CUT_BY_EDGE,
    LEUKOCYTES,
    PIECE_AT_EDGE,
    PLATELET,
    TOO_LARGE,
)

MICROMETRES = 7.4


def diameter_of(picture):
    return red_cell_diameter(round_red_cells(picture), lambda: widest_places(picture))[0]


def leukocytes(cells):
    return np.array([(cell.x, cell.y) for cell in cells if cell.set_aside in LEUKOCYTES])


# The scales differ by a factor of 3; many more smears are in the benchmark of the detector.
@pytest.mark.parametrize(("scale", "seeds"), [(4.4, (0, 1, 2)), (7.6, (3,)), (13.2, (4,))])
def test_generated_leukocytes_are_found_at_three_scales_touching_ones_included(scale, seeds):
    for seed in seeds:
        picture, centres = draw_smear(seed, scale, (70, 93), alone=2, pairs=2)
        cells = find_cells(picture, diameter_of(picture))
        compared = compare_with_positions(leukocytes(cells), centres, 3 * scale)
        assert len(compared.found) == len(centres) == 6
        assert not len(compared.false)


def test_measures_are_those_of_a_drawn_cell():
    # A nucleus of 40 and a body of 60 pixels on glass; red cells of 32.
    picture = np.full((200, 240, 3), (230, 228, 222), np.uint8)
    cv2.circle(picture, (100, 90), 30, (200, 185, 215), -1)
    cv2.circle(picture, (104, 90), 20, (100, 70, 160), -1)
    (cell,) = find_cells(grainy(picture), 32)
    assert (cell.x, cell.y) == pytest.approx((100, 90), abs=1)
    assert cell.area == pytest.approx(np.pi * 30**2, rel=0.1)
    assert cell.nucleus_area == pytest.approx(np.pi * 20**2, rel=0.1)
    assert cell.roundness > 0.85
    assert cell.lobes == 1
    assert cell.set_aside == ""
    left, top, width, height = cell.box
    assert (left, top) == pytest.approx((70, 60), abs=2)
    assert (width, height) == pytest.approx((61, 61), abs=4)
    # A third of red and of green passes the nucleus, and seven tenths of blue.
    expected = -np.log(101 / 231) - np.log(71 / 229) + 2 * np.log(161 / 223)
    assert cell.purple == pytest.approx(expected, rel=0.1)
    assert cell.outline[:, 0].min() == pytest.approx(70, abs=2)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_same_picture_at_another_scale_gives_the_same_cells(scale):
    picture, _ = draw_smear(5, 4.4, (70, 93), alone=2, pairs=1)
    size = [round(length * scale) for length in picture.shape[1::-1]]
    other = cv2.resize(
        picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    cells, scaled = find_cells(picture, 32.0), find_cells(other, 32.0 * scale)
    places = leukocytes(scaled) / scale
    assert len(compare_with_positions(places, leukocytes(cells), 3).found) == 4
    assert len(places) == len(leukocytes(cells))


def test_what_is_small_cut_or_large_is_set_aside_by_name():
    picture = np.full((400, 400, 3), (230, 228, 222), np.uint8)
    purple = (100, 70, 160)
    cv2.circle(picture, (100, 100), 7, purple, -1)
    cv2.circle(picture, (0, 200), 22, purple, -1)
    cv2.circle(picture, (399, 40), 4, purple, -1)
    cv2.circle(picture, (220, 60), 21, purple, -1)
    cv2.rectangle(picture, (180, 180), (340, 340), purple, -1)
    found = {
        cell.set_aside: (round(cell.x), round(cell.y)) for cell in find_cells(grainy(picture), 32)
    }
    assert set(found) == {"", PLATELET, CUT_BY_EDGE, PIECE_AT_EDGE, TOO_LARGE}
    assert found[PLATELET] == (100, 100)
    assert found[""] == (220, 60)
    assert found[TOO_LARGE] == (260, 260)


INKS = {
    **{"blue": (0, 0, 255), "navy": (20, 20, 120), "magenta": (255, 0, 255)},
    **{"black": (25, 20, 38), "marker": (90, 40, 140)},
}


# A letter in the colour of a nucleus, the marker, may pass for one.
@pytest.mark.parametrize(
    ("kind", "ink"),
    [
        *itertools.product(("bar", "hair", "ring", "blot"), INKS),
        *itertools.product(("letters",), list(INKS)[:4]),
    ],
)
def test_what_is_drawn_over_a_smear_is_no_leukocyte(kind, ink):
    colour = INKS[ink]
    picture, centres = draw_smear(5, 4.4, (70, 93), alone=2, pairs=0)
    along = np.linspace(0, 2, 40)
    curve = np.stack([40 + 110 * along, 170 + 14 * np.sin(3 * along)], 1).round().astype(np.int32)
    blot = np.array([(60, 160), (120, 150), (110, 200), (150, 215), (80, 210)], np.int32)
    draw = {
        "letters": lambda p: cv2.putText(p, "HEM 20", (20, 190), 2, 1.6, colour, 4, cv2.LINE_AA),
        "bar": lambda p: cv2.rectangle(p, (30, 170), (190, 188), colour, -1),
        "hair": lambda p: cv2.polylines(p, [curve], False, colour, 7, cv2.LINE_AA),
        "ring": lambda p: cv2.circle(p, (110, 180), 34, colour, 6, cv2.LINE_AA),
        "blot": lambda p: cv2.fillPoly(p, [blot], colour, cv2.LINE_AA),
    }[kind]
    draw(picture)
    cells = find_cells(grainy(picture, 1.0), 32)
    compared = compare_with_positions(leukocytes(cells), centres, 12)
    assert len(compared.found) == 2
    assert not len(compared.false)
    assert ARTEFACT in [cell.set_aside for cell in cells]


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((1, 1, 3), 255, np.uint8),
        np.full((40, 3000, 3), (90, 60, 150), np.uint8),
        np.zeros((300, 400, 3), np.uint8),
        np.random.default_rng(0).integers(0, 256, (200, 300, 1)).astype(np.uint8).repeat(3, 2),
    ],
    ids=["one black pixel", "one white pixel", "purple", "black", "grey noise"],
)
def test_a_picture_without_leukocytes_gives_none(picture):
    assert [cell for cell in find_cells(picture, 32) if cell.set_aside in LEUKOCYTES] == []


def test_real_leukocytes_are_found_without_settings(test_data):
    folder = test_data / "bccd_sample"
    files = sorted((folder / "JPEGImages").glob("*.jpg"))
    found = missed = false = 0
    for file, searched in zip(files, search_files(files, report=None), strict=True):
        root = ElementTree.parse(folder / "Annotations" / f"{file.stem}.xml").getroot()
        boxes = [
            [int(cell.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
            for cell in root.iter("object")
            if cell.findtext("name") == "WBC"
        ]
        boxes = np.array(boxes, float).reshape(-1, 4)
        boxes[:, 2:] -= boxes[:, :2]
        compared = compare_with_boxes(leukocytes(searched.cells), boxes)
        found += len(compared.found)
        missed += len(compared.missed)
        false += len(compared.false)
    assert found / (found + missed) >= 0.98
    assert found / (found + false) >= 0.96
