"""Grids of tiles against the expectations that other tools publish in their own tests."""

import numpy as np
import pytest

from blastfold.core.errors import InputError
from blastfold.slides.grid import plan_tiles, tile_grid, to_level_zero
from blastfold.slides.tissue import covered_fraction


def corners(boxes):
    """Left, top, right, bottom of every box, as a set."""
    return {(x, y, x + width, y + height) for x, y, width, height in boxes.tolist()}


def settings(**changes):
    return {"tile_size": 256, "overlap": 0, "unit": "pixels", "mpp": None} | changes


# TIAToolbox, tests/test_patch_extraction.py::test_get_coordinates: sizes are (width, height).


def test_tiatoolbox_tiles_inside_only():
    assert corners(tile_grid((9, 6), (4, 4), (4, 4))) == {(0, 0, 4, 4), (4, 0, 8, 4)}


def test_tiatoolbox_tiles_over_the_edges():
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (8, 0), (8, 4)]
    expected = {(x, y, x + 4, y + 4) for x, y in places}
    assert corners(tile_grid((9, 6), (4, 4), (4, 4), "pad")) == expected


def test_tiatoolbox_tile_larger_than_the_image():
    assert len(tile_grid((8, 8), (9, 9), (9, 8))) == 0
    assert corners(tile_grid((8, 8), (9, 9), (9, 8), "pad")) == {(0, 0, 9, 9)}


def test_tiatoolbox_spacing_smaller_than_the_tile():
    boxes = tile_grid((9, 6), (4, 6), (2, 6), "pad")
    assert len(boxes) == 5
    assert (boxes[:, 0] < 9).all()
    assert (boxes[:, 1] < 6).all()


@pytest.mark.parametrize(
    "arguments",
    [
        ((9, 6), (4, 4), (0, 4)),
        ((9, 6), (4, 4), (4, -1)),
        ((9, 6), (0, 4), (4, 4)),
        ((9, -6), (4, 4), (4, 4)),
        ((9, 6), (4,), (4, 4)),
        ((9, 6, 3), (4, 4), (4, 4)),
    ],
)
def test_tiatoolbox_bad_shapes_and_spacings_are_errors(arguments):
    with pytest.raises(InputError, match="expected two lengths of at least 1"):
        tile_grid(*arguments)


def test_unknown_treatment_of_edges_is_an_error():
    with pytest.raises(InputError, match="received 'crop', expected drop or pad"):
        tile_grid((9, 6), (4, 4), (4, 4), "crop")


# TRIDENT, tests/test_patcher_scan_order.py.


def test_trident_scan_order_is_row_by_row():
    boxes = tile_grid((768, 512), (256, 256), (256, 256))
    expected = [(0, 0), (256, 0), (512, 0), (0, 256), (256, 256), (512, 256)]
    assert [tuple(box[:2]) for box in boxes.tolist()] == expected


# PathML, tests/preprocessing_tests/test_tiling.py.


@pytest.mark.parametrize("tile", [5, 20])
@pytest.mark.parametrize("stride", [None, 1, 5])
def test_pathml_number_of_tiles(tile, stride):
    stride = stride or tile
    boxes = tile_grid((100, 100), (tile, tile), (stride, stride))
    assert len(boxes) == (1 + (100 - tile) // stride) ** 2
    assert boxes[0].tolist() == [0, 0, tile, tile]


def test_pathml_mask_leaves_only_tiles_inside_it():
    mask = np.zeros((100, 100), dtype=bool)
    mask[:25, :25] = True
    boxes = tile_grid((100, 100), (5, 5), (5, 5))
    kept = boxes[covered_fraction(mask, boxes, 1.0) >= 1]
    assert corners(kept) == {(x, y, x + 5, y + 5) for x in range(0, 25, 5) for y in range(0, 25, 5)}


# Our own.


def test_broken_spacing_does_not_add_up_its_rounding():
    starts = tile_grid((10_000, 10), (10, 10), (10.3, 10))[:, 0]
    np.testing.assert_array_equal(starts, np.floor(np.arange(len(starts)) * 10.3 + 0.5))
    assert starts[-1] + 10 <= 10_000 < starts[-1] + 10.3 + 10.5


@pytest.mark.parametrize(
    ("wanted", "level", "window"),
    [
        (None, 0, 256),
        (0.25, 0, 256),
        (0.5, 0, 512),  # between the levels: the finer one
        (0.9, 0, 922),
        (1.0, 1, 256),
        (1.5, 1, 384),
        (4.0, 2, 256),
        (8.0, 2, 512),
    ],
)
def test_coarsest_level_that_is_fine_enough(wanted, level, window):
    plan = plan_tiles(settings(mpp=wanted), 0.25, [1.0, 4.0, 16.0])
    assert (plan.level, plan.window, plan.tile_size) == (level, window, 256)
    assert plan.mpp == (wanted or 0.25)
    # What one pixel of a tile shows is exactly what was asked for.
    assert 0.25 * plan.downsample * plan.ratio == pytest.approx(plan.mpp, rel=1e-12)


def test_micrometres_become_whole_pixels():
    chosen = settings(unit="micrometres", tile_size=128, overlap=32)
    plan = plan_tiles(chosen, 0.499, [1.0])
    assert plan.tile_size == round(128 / 0.499) == 257
    assert plan.spacing == pytest.approx(96 / 0.499)
    plan = plan_tiles(chosen | {"mpp": 1.0}, 0.499, [1.0])
    assert (plan.tile_size, plan.window) == (128, 257)
    assert plan.spacing * 0.499 == pytest.approx(96)


def test_negative_overlap_leaves_a_gap():
    plan = plan_tiles(settings(overlap=-256), None, [1.0])
    assert plan.spacing == 512


@pytest.mark.parametrize("asked", [{"unit": "micrometres"}, {"mpp": 0.5}])
def test_micrometres_of_a_slide_without_mpp_need_a_declared_one(asked):
    with pytest.raises(InputError, match=r"Declare them in the column mpp of the sheet"):
        plan_tiles(settings(**asked), None, [1.0])


def test_finer_than_the_slide_is_an_error_but_a_scanners_tolerance_is_not():
    with pytest.raises(InputError, match=r"received 0\.25, but the slide has 0\.5 micrometres"):
        plan_tiles(settings(mpp=0.25), 0.5, [1.0])
    plan = plan_tiles(settings(mpp=0.25), 0.2525, [1.0])
    assert plan.ratio == pytest.approx(0.25 / 0.2525)


def test_tile_of_less_than_a_pixel_is_an_error():
    with pytest.raises(InputError, match="expected at least 1 of each"):
        plan_tiles(settings(unit="micrometres", tile_size=0.1), 0.5, [1.0])


def test_places_in_pixels_of_level_zero():
    plan = plan_tiles(settings(mpp=1.5, tile_size=100), 0.25, [1.0, 4.0])
    boxes = tile_grid((1000, 1000), (plan.window,) * 2, (plan.spacing,) * 2)
    places = to_level_zero(boxes, plan)
    assert places[1].tolist() == [600, 0, 600, 600]
    assert (places[:, 2] * 0.25 == 150).all()
