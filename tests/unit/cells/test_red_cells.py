"""The scale from red cells: discs of known diameter, apart and in heaps."""

import cv2
import numpy as np
import pytest

from blastfold.cells.red_cells import (
    ENOUGH,
    red_cell_diameter,
    round_red_cells,
    weighted_median,
    widest_places,
)
from blastfold.core.names import BY_ROUND_CELLS, BY_WIDEST_PLACES, NO_RED_CELLS

GLASS, RED_CELL, PALE, NUCLEUS = (228, 226, 220), (190, 130, 135), (215, 195, 195), (90, 60, 150)


def picture_of(places, diameter, size=(480, 640), colour=RED_CELL):
    """Return discs with a pale middle on glass."""
    picture = np.full((*size, 3), GLASS, np.uint8)
    for x, y in places:
        cv2.circle(picture, (int(x), int(y)), round(diameter / 2), colour, -1, cv2.LINE_AA)
        cv2.circle(picture, (int(x), int(y)), round(0.15 * diameter), PALE, -1, cv2.LINE_AA)
    return cv2.GaussianBlur(picture, (0, 0), 1.0)


def grid(step, size=(480, 640)):
    return [
        (x, y) for y in range(step, size[0] - step // 2, step) for x in range(step, size[1], step)
    ]


def no_widths():
    raise AssertionError("the widest places are not needed")


@pytest.mark.parametrize("diameter", [16, 40, 78])
def test_round_red_cells_give_their_diameter(diameter):
    picture = picture_of(grid(round(1.3 * diameter)), diameter)
    found, how, count = red_cell_diameter(round_red_cells(picture), no_widths)
    assert how == BY_ROUND_CELLS
    assert count >= ENOUGH
    assert found == pytest.approx(diameter, rel=0.08)


@pytest.mark.parametrize(("width", "diameter"), [(2592, 91), (2592, 20)])
def test_photographs_of_any_size_give_pixels_of_their_own(width, diameter):
    size = (600, width)
    picture = picture_of(grid(round(1.4 * diameter), size), diameter, size)
    found = red_cell_diameter(round_red_cells(picture), no_widths)[0]
    assert found == pytest.approx(diameter, rel=0.08)


def test_heaps_of_red_cells_give_it_by_their_widest_places():
    rows = [(x, y) for y in range(40, 460, 75) for x in range(10, 640, 42)]
    picture = picture_of(rows, 50)
    assert len(round_red_cells(picture)) < ENOUGH
    found, how, _ = red_cell_diameter(round_red_cells(picture), lambda: widest_places(picture))
    assert how == BY_WIDEST_PLACES
    assert found == pytest.approx(50, rel=0.25)


def test_nuclei_and_cells_at_the_edge_are_no_red_cells():
    nuclei = picture_of(grid(60), 40, colour=NUCLEUS)
    assert len(round_red_cells(nuclei)) == 0
    corner = picture_of([(0, 0), (639, 479)], 60)
    assert len(round_red_cells(corner)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (50, 70)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_picture_of_one_colour_has_no_scale(shape, level):
    picture = np.full((*shape, 3), level, np.uint8)
    known = red_cell_diameter(round_red_cells(picture), lambda: widest_places(picture))
    assert known[0] is None or known[1] == BY_WIDEST_PLACES
    empty = np.zeros(0)
    assert red_cell_diameter(empty, lambda: empty) == (None, NO_RED_CELLS, 0)


def test_weighted_median_is_where_half_of_the_weight_is_reached():
    values, weights = np.array([5.0, 1.0, 9.0]), np.array([1.0, 1.0, 5.0])
    assert weighted_median(values, weights) == 9.0
    assert weighted_median(values, np.ones(3)) == 5.0
