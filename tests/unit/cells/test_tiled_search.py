"""Slides tile by tile: cells at the borders of tiles are counted once."""

import dataclasses

import numpy as np
import pytest
from support.touching_smears import draw_smear

from blastfold.cells.detector import find_cells
from blastfold.cells.tiled_search import (
    array_level,
    choose_level,
    light_of,
    sample_level,
    search_level,
)
from blastfold.cells.truth import compare_with_positions
from blastfold.core.names import LEUKOCYTES
from blastfold.slides.reading import Level

DIAMETER = 32.0


@pytest.fixture(scope="module")
def smear():
    return draw_smear(6, 4.4)


def segmented(picture, side=128):
    """Return a picture as a level that is stored in segments."""
    height, width = picture.shape[:2]

    def decode(row, column):
        return picture[row * side : (row + 1) * side, column * side : (column + 1) * side]

    return Level(width, height, side, side, decode)


def places(cells):
    return np.array([(cell.x, cell.y) for cell in cells if cell.set_aside in LEUKOCYTES])


# With cores of 70 pixels every cell is near a border, many are on one or on a corner of four.
@pytest.mark.parametrize("core", [70, 97, 2000])
def test_cells_at_borders_of_tiles_are_counted_once(smear, core):
    picture, centres = smear
    light = light_of([picture], DIAMETER)
    cells, damaged = search_level(segmented(picture), DIAMETER, light, 2, core=core)
    assert damaged == 0
    compared = compare_with_positions(places(cells), centres, 12)
    assert len(compared.found) == len(centres)
    assert not len(compared.false)
    whole = find_cells(picture, DIAMETER, light)
    assert len(cells) == len(whole)
    np.testing.assert_allclose(places(cells), places(whole), atol=1.5)


def test_a_damaged_segment_costs_its_tiles_alone(smear):
    picture, _ = smear
    level = segmented(picture)

    def decode(row, column):
        if (row, column) == (0, 0):
            raise ValueError("damaged")
        return level.decode(row, column)

    broken = dataclasses.replace(level, decode=decode)
    light = light_of([picture], DIAMETER)
    cells, damaged = search_level(broken, DIAMETER, light, core=120)
    assert damaged > 0
    far = places(cells)
    assert len(far)
    expected = places(find_cells(picture, DIAMETER, light))
    assert len(compare_with_positions(far, expected, 2).found) == len(far)


def test_squares_lie_over_the_whole_slide_and_light_is_that_of_all(smear):
    picture, _ = smear
    (square,) = sample_level(array_level(picture))
    assert np.array_equal(square, picture)
    wide = np.tile(picture, (1, 8, 1))
    squares = sample_level(segmented(wide))
    assert {square.shape for square in squares} == {(picture.shape[0], 1024, 3)}
    assert len(squares) == -(-wide.shape[1] // 1024)
    one, all_of_them = light_of([picture], DIAMETER), light_of([picture, picture], DIAMETER)
    np.testing.assert_allclose(one.glass, all_of_them.glass)
    assert one.threshold == pytest.approx(all_of_them.threshold)


def test_the_coarsest_level_that_is_fine_enough_is_searched():
    levels = [
        Level(1000, 1000, 256, 256, lambda row, column: None, downsample)
        for downsample in (1.0, 2.0, 4.0)
    ]
    assert choose_level(levels, 70.0).downsample == 2
    assert choose_level(levels, 20.0).downsample == 1
    assert choose_level(levels, 900.0).downsample == 4
