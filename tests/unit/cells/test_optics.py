"""Glass, purple and thresholds, against OpenCV and worked examples."""

import numpy as np
import pytest

from blastfold.cells.optics import (
    BIN,
    THRESHOLDS,
    glass_colour,
    nucleus_threshold,
    purple_histogram,
    purple_of,
)


def test_purple_is_the_density_of_red_and_green_less_twice_that_of_blue():
    # Half, a quarter and all of the light of a glass of 199: ln 2 + ln 4 - 0 = 2.079.
    picture = np.array([[[99, 49, 199], [199, 199, 199]]], np.uint8)
    purple = purple_of(picture, (199.0, 199.0, 199.0))
    np.testing.assert_allclose(purple, [[np.log(2) + np.log(4), 0]], atol=1e-6)


def test_haemoglobin_is_not_purple():
    # Absorbances of eosin in the generated smears: 0.13, 0.45 and 0.41.
    light = np.rint(230 * np.exp([-0.13, -0.45, -0.41])).astype(np.uint8)
    assert purple_of(light[None, None], (230.0, 230.0, 230.0))[0, 0] < 0


def test_glass_is_the_median_of_the_bright_pixels():
    pixels = np.array([[230, 225, 215]] * 60 + [[180, 90, 100]] * 40, np.uint8)
    assert glass_colour(np.bincount(pixels[:, 1], minlength=256), pixels) == (230, 225, 215)
    black = np.zeros((5, 3), np.uint8)
    assert glass_colour(np.bincount(black[:, 1], minlength=256), black) == (1, 1, 1)


def test_threshold_of_nuclei_stays_within_its_limits():
    lowest, highest = THRESHOLDS
    pale = np.repeat([0.2, 0.3], 500).astype(np.float32)
    dark = np.repeat([0.2, 1.9], 500).astype(np.float32)
    between = np.concatenate([np.full(500, 0.5), np.full(500, 1.2)]).astype(np.float32)
    assert nucleus_threshold(purple_histogram(pale)) == lowest
    assert nucleus_threshold(purple_histogram(dark)) <= highest
    assert nucleus_threshold(purple_histogram(between)) == pytest.approx(0.5 + BIN, abs=2 * BIN)
    assert nucleus_threshold(purple_histogram(np.zeros(99, np.float32))) == np.mean(THRESHOLDS)
