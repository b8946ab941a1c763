"""Sketches against NumPy's own turns, slices and correlation."""

import cv2
import numpy as np
import pytest

from blastfold.leakage.duplicate_images import Detail
from blastfold.leakage.duplicate_sketches import (
    OUTSIDE,
    SKETCH_SIZE,
    STEP,
    compare_sketches,
    sketch,
    sketch_shape,
)

SIZE = SKETCH_SIZE
IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])
# What takes a picture of NumPy's function to its original place, in shares of the side.
TURNS = {
    "quarter turn": (lambda picture: np.rot90(picture), [[0, 1, 0], [-1, 0, 1]]),
    "mirror": (lambda picture: picture[:, ::-1], [[-1, 0, 1], [0, 1, 0]]),
    "half turn": (lambda picture: picture[::-1, ::-1], [[-1, 0, 1], [0, -1, 1]]),
}


def textures(count, height=SIZE, width=SIZE):
    noise = np.random.default_rng(3).normal(size=(count, height, width)).astype(np.float32)
    return np.stack([np.rint(60 * cv2.GaussianBlur(one, (0, 0), 1)) for one in noise])


def compare(first, second, matrix=IDENTITY):
    pair = np.stack([first, second]).astype(np.int8)
    return compare_sketches(pair, np.array([0]), np.array([1]), np.array(matrix, float)[None])


@pytest.mark.parametrize("name", TURNS)
def test_a_turned_picture_under_its_map_is_the_same(name):
    turn, matrix = TURNS[name]
    (picture,) = textures(1)
    found = compare(picture, turn(picture), matrix)
    assert found.correlation[0] == pytest.approx(1)
    assert found.common[0] == 1
    assert abs(compare(picture, turn(picture)).correlation[0]) < 0.3


def test_shifted_pictures_are_compared_where_both_are():
    """The oracle is NumPy's correlation of the slices that both pictures have."""
    one, other = textures(2)
    mixed = one + other
    found = compare(one, mixed, [[1, 0, 8 / SIZE], [0, 1, -6 / SIZE]])
    after = mixed[: SIZE - 6 : STEP, 8::STEP].ravel()
    before = one[6::STEP, : SIZE - 8 : STEP].ravel()
    assert found.correlation[0] == pytest.approx(np.corrcoef(before, after)[0, 1], abs=1e-5)
    assert found.common[0] == pytest.approx((1 - 6 / SIZE) * (1 - 8 / SIZE))


def test_what_is_no_foreground_takes_no_part():
    one, other = textures(2)
    inside = np.zeros((SIZE, SIZE), bool)
    inside[10:30, 12:40] = True
    found = compare(np.where(inside, one, OUTSIDE), np.where(inside, one, other))
    assert found.correlation[0] == pytest.approx(1)
    assert found.common[0] == pytest.approx(20 * 28 / SIZE**2)


@pytest.mark.parametrize("shift", [1.0, -3.0, 1e9])
def test_pictures_without_common_area_do_not_correlate(shift):
    (picture,) = textures(1)
    found = compare(picture, picture, [[1, 0, shift], [0, 1, 0]])
    assert (found.correlation[0], found.common[0]) == (0, 0)


def test_flat_pictures_do_not_correlate():
    flat = np.full((SIZE, SIZE), 5)
    assert compare(flat, flat).correlation[0] == 0


def test_no_pairs():
    found = compare_sketches(
        np.zeros((2, SIZE, SIZE), np.int8), np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2, 3))
    )
    assert (len(found.correlation), len(found.common)) == (0, 0)


@pytest.mark.parametrize("shape", [(8, 8), (48, 96), (96, 96), (1, 128)])
def test_a_sketch_has_the_background_of_its_picture(shape):
    mask = np.zeros(shape, np.float32)
    mask[:, : shape[1] // 2] = 1
    small = sketch(Detail(np.float32(2) * mask, mask))
    width = small.shape[1]
    assert small.shape == sketch_shape(*shape)
    assert max(small.shape) == min(SIZE, max(shape))
    np.testing.assert_array_equal(small[:, : width // 2], 64)
    np.testing.assert_array_equal(small[:, width // 2 :], OUTSIDE)
