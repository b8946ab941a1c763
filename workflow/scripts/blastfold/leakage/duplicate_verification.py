"""Proof on pixels that two images of the duplicate audit show the same thing.

A candidate pair comes with an orientation and a shift. The images' inner detail (see
:mod:`blastfold.leakage.duplicate_images`) is registered to a part of a pixel, and its normalised
correlation over the common foreground decides. Flat background takes no part, so that two cells
on black are as different as their insides.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.leakage.duplicate_images import (
    ORIENTATION_NAMES,
    REFERENCE_SIZE,
    Detail,
    find_detail,
    orient,
    shrink_to_grey,
)

SEARCH_RADIUS = 5
# Less common foreground than this share of the image is no evidence.
MINIMUM_EVIDENCE = 0.018
MINIMUM_MASK_AGREEMENT = 0.6
SHIFTED_FROM = 0.75
GAIN_TOLERANCE = 0.05
LEVEL_TOLERANCE = 1.5


class View(NamedTuple):
    """One image at the size of the comparison: grey values and detail."""

    grey: np.ndarray
    detail: Detail


class Evidence(NamedTuple):
    """A verified pair: shift in pixels of the comparison, correlation, how intensities changed."""

    orientation: int
    down: float
    right: float
    similarity: float
    gain: float
    level_change: float


def view_image(image: np.ndarray) -> View:
    """Prepare a uint8 (height, width, 3) image for :func:`compare_views`."""
    grey = shrink_to_grey(image, REFERENCE_SIZE)
    return View(grey, find_detail(grey))


def compare_views(
    first: View, second: View, orientation: int, shift: tuple[float, float], minimum_overlap: float
) -> Evidence | None:
    """Register the oriented first image onto the second and correlate what both show.

    Args:
        first: The image to orient and move.
        second: The image that stays.
        orientation: 0-7.
        shift: Expected (down, right) in pixels, right to about 4 pixels.
        minimum_overlap: Share of the picture area that both crops must have in common.

    Returns:
        The evidence, or None where the overlap or the common foreground is too small.
    """
    values = np.ascontiguousarray(orient(first.detail.values, orientation))
    found = _register(values, second.detail.values, shift)
    height, width = values.shape
    if found is None:
        return None
    overlap = max(0.0, 1 - abs(found[0]) / height) * max(0.0, 1 - abs(found[1]) / width)
    if overlap < minimum_overlap:
        return None
    move = np.float32([[1, 0, found[1]], [0, 1, found[0]]])

    def moved(image: np.ndarray, interpolation: int) -> np.ndarray:
        image = np.ascontiguousarray(orient(image, orientation))
        return cv2.warpAffine(image, move, (width, height), flags=interpolation)

    first_mask = moved(first.detail.mask, cv2.INTER_NEAREST) > 0
    window = moved(np.ones_like(first.grey), cv2.INTER_NEAREST) > 0
    second_mask = (second.detail.mask > 0) & window
    common = first_mask & second_mask
    if common.sum() < MINIMUM_EVIDENCE * common.size:
        return None
    smaller = min(first_mask.sum(), second_mask.sum())
    if common.sum() < MINIMUM_MASK_AGREEMENT * smaller:
        return None
    values = moved(first.detail.values, cv2.INTER_CUBIC)
    similarity = _correlate(values[common], second.detail.values[common])
    before = moved(first.grey, cv2.INTER_LINEAR)[common]
    after = second.grey[common]
    gain = float(after.std() / max(before.std(), 1e-6))
    change = float(after.mean() - before.mean())
    return Evidence(orientation, *found, similarity, gain, change)


def _register(
    moving: np.ndarray, fixed: np.ndarray, shift: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the (down, right) near ``shift`` where the images correlate best."""
    height, width = fixed.shape
    down, right = round(shift[0]), round(shift[1])
    # The part of the moving image that stays inside the fixed one wherever it is tried.
    top, left = max(0, SEARCH_RADIUS - down), max(0, SEARCH_RADIUS - right)
    bottom = min(height, height - SEARCH_RADIUS - down)
    side = min(width, width - SEARCH_RADIUS - right)
    if bottom - top < 8 or side - left < 8:
        return None
    region = fixed[
        top + down - SEARCH_RADIUS : bottom + down + SEARCH_RADIUS,
        left + right - SEARCH_RADIUS : side + right + SEARCH_RADIUS,
    ]
    # Plain correlation: the detail has zero mean, and zeros where there is background.
    surface = cv2.matchTemplate(region, moving[top:bottom, left:side], cv2.TM_CCORR)
    row, column = np.unravel_index(int(surface.argmax()), surface.shape)
    return (
        down + row - SEARCH_RADIUS + _peak_offset(surface[:, column], row),
        right + column - SEARCH_RADIUS + _peak_offset(surface[row], column),
    )


def _peak_offset(line: np.ndarray, index: int) -> float:
    """Return how far a parabola through three values peaks from the middle one."""
    if not 0 < index < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[index - 1 : index + 2])
    bend = before + after - 2 * here
    return 0.5 * (before - after) / bend if bend < -1e-9 else 0.0


def _correlate(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation, 0 where one side does not vary."""
    first, second = first - first.mean(dtype=float), second - second.mean(dtype=float)
    energy = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / energy if energy > 1e-9 else 0.0


def name_kind(evidence: Evidence) -> str:
    """Name the strongest difference of a verified pair.

    A moved crop comes before a changed intensity, that before a turn, and a turn before
    compression: the transform shows whether a shifted or brightened copy is turned too.
    """
    if max(abs(evidence.down), abs(evidence.right)) >= SHIFTED_FROM:
        return "shifted"
    if abs(evidence.gain - 1) > GAIN_TOLERANCE or abs(evidence.level_change) > LEVEL_TOLERANCE:
        return "brightness_contrast"
    return "flipped_or_turned" if evidence.orientation else "recompressed"


def name_transform(orientation: int, down: float = 0, right: float = 0) -> str:
    """Write an orientation and a shift in pixels, such as ``turn_90 shift (3, -5)``."""
    name = ORIENTATION_NAMES[orientation]
    down, right = round(down), round(right)
    return f"{name} shift ({down}, {right})" if down or right else name
