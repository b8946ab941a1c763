"""Tissue, pen marks, fractions, sharpness and exact shrinking against independent references."""

import cv2
import numpy as np
import pytest
from support.thresholds import otsu_by_definition

from blastfold.slides.resampling import area_weights, shrink
from blastfold.slides.tissue import (
    LEAST_THRESHOLD,
    covered_fraction,
    find_tissue,
    sharpness,
)

PINK, GLASS = (220, 150, 190), (243, 241, 244)


def scene():
    image = np.empty((100, 120, 3), dtype=np.uint8)
    image[:] = GLASS
    image[20:80, 30:90] = PINK
    return image


def test_tissue_is_what_is_coloured():
    image = scene()
    tissue, pen, threshold = find_tissue(image)
    expected = np.zeros((100, 120), dtype=bool)
    expected[20:80, 30:90] = True
    np.testing.assert_array_equal(tissue, expected)
    assert not pen.any()
    assert threshold == max(LEAST_THRESHOLD, otsu_by_definition(saturation(image)))


def saturation(image):
    high, low = image.max(axis=2).astype(float), image.min(axis=2)
    return np.rint(255 * (high - low) / np.maximum(high, 1)).astype(np.uint8)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_an_even_slide_has_no_tissue(grey):
    tissue, _, threshold = find_tissue(np.full((50, 50, 3), grey, dtype=np.uint8))
    assert not tissue.any()
    assert threshold == LEAST_THRESHOLD


def test_noise_on_glass_is_no_tissue():
    random = np.random.default_rng(0)
    noisy = np.array(GLASS) + random.normal(0, 2, (200, 200, 3))
    assert find_tissue(np.clip(noisy, 0, 255).astype(np.uint8))[0].mean() < 1e-3


@pytest.mark.parametrize(
    "ink", [(30, 80, 190), (0, 0, 255), (20, 140, 60), (0, 160, 160), (25, 25, 30), (0, 0, 0)]
)
def test_pen_marks_are_found_and_are_no_tissue(ink):
    image = scene()
    image[40:50, 10:110] = ink
    tissue, pen, _ = find_tissue(image, stroke=5)
    assert pen[40:50, 10:110].all()
    assert pen.sum() == 1000
    assert not (tissue & pen).any()


@pytest.mark.parametrize(
    "stain",
    [
        PINK,
        (122, 84, 162),  # haematoxylin
        (92, 52, 138),  # dense nuclei
        (90, 60, 140),
        (200, 60, 110),  # strong eosin
        (170, 40, 60),  # blood
        (100, 90, 170),  # Giemsa
    ],
)
def test_stains_are_no_pen_marks(stain):
    image = scene()
    image[20:80, 30:90] = stain
    tissue, pen, _ = find_tissue(image)
    assert not pen.any()
    assert tissue[20:80, 30:90].all()


def test_fringes_narrower_than_a_stroke_are_no_pen_mark():
    image = scene()
    image[40:43, 30:90] = (0, 160, 160)
    assert find_tissue(image, stroke=1)[1].any()
    assert not find_tissue(image, stroke=5)[1].any()


def test_fixed_threshold_is_taken_as_it_is():
    image = scene()
    assert find_tissue(image, 3)[2] == 3
    assert not find_tissue(image, 254)[0].any()


def test_covered_fraction_is_exact_also_for_parts_of_pixels():
    random = np.random.default_rng(1)
    mask = random.random((13, 17)) < 0.4
    step = 6
    fine = np.kron(mask, np.ones((step, step)))
    boxes = []
    for _ in range(200):
        x, y = random.integers(0, 90), random.integers(0, 70)
        boxes.append((x, y, random.integers(1, 60), random.integers(1, 60)))
    expected = [
        fine[y : y + height, x : x + width].sum() / (width * height)
        for x, y, width, height in boxes
    ]
    np.testing.assert_allclose(covered_fraction(mask, np.array(boxes), step), expected, atol=1e-12)


def test_sharpness_is_the_variance_of_the_laplacian():
    random = np.random.default_rng(2)
    tile = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(int)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = (
        padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    )
    assert sharpness(tile) == pytest.approx(laplacian.var(), rel=1e-9)
    assert sharpness(np.full((9, 9, 3), 77, dtype=np.uint8)) == 0


def test_blur_lowers_the_sharpness():
    random = np.random.default_rng(3)
    tile = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    values = [sharpness(cv2.GaussianBlur(tile, (0, 0), sigma)) for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(("above", "below"), [(13, 10), (7, 5), (2, 1), (10, 9), (3, 2), (19, 20)])
def test_shrinking_takes_the_mean_of_exactly_the_covered_area(above, below):
    """Reference: every pixel repeated ``below`` times, then means over ``above`` of them."""
    random = np.random.default_rng(4)
    size, ratio = 20, above / below
    window = int(np.ceil(size * ratio))
    image = random.integers(0, 256, (window, window, 3), dtype=np.uint8)
    repeated = image.repeat(below, axis=0).repeat(below, axis=1).astype(float)
    used = repeated[: size * above, : size * above]
    means = used.reshape(size, above, size, above, 3).mean(axis=(1, 3))
    shrunk = shrink(image, size, ratio)
    assert shrunk.dtype == np.uint8
    # Half a grey level of rounding, and what float32 adds to it.
    assert np.abs(shrunk - means).max() <= 0.5 + 1e-3


def test_shrinking_by_an_unwieldy_ratio_keeps_the_scale():
    """A ramp over the window becomes a ramp with the ratio's slope."""
    size, ratio = 64, 1.2345
    window = int(np.ceil(size * ratio))
    weights = area_weights(window, size, ratio)
    centres = weights.astype(float) @ (np.arange(window) + 0.5)
    # Pixels are even squares, so that a part of one has its weight up to 1/8 off its centre.
    np.testing.assert_allclose(centres, (np.arange(size) + 0.5) * ratio, atol=0.125)
    assert np.polyfit(np.arange(size), centres, 1)[0] == pytest.approx(ratio, rel=1e-3)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)


def test_nothing_to_shrink_returns_the_pixels_themselves():
    image = np.random.default_rng(5).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert shrink(image, 16, 1.0) is image
