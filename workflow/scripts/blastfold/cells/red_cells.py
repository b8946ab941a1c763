"""The scale of photographs from their red cells, whose diameter is about the same in all people.

Round red cells that touch no other are measured. Where photographs of one size show too few of
them, the widest places of all red cells are measured instead.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np

from blastfold.cells.optics import GREEN, glass_colour, purple_of
from blastfold.core.names import BY_ROUND_CELLS, BY_WIDEST_PLACES, NO_RED_CELLS
from blastfold.images.otsu import otsu_bin

LONGEST_SIDE = 1024
"""Pixels; larger photographs are shrunk before their red cells are measured."""

SMALLEST = 9.0
"""Pixels; red cells that are smaller in the shrunk photograph are measured in the whole one."""

ENOUGH = 12
"""So many round red cells give the scale."""

ROUNDEST, MOST_STRETCHED, SOLID = 0.80, 1.3, 0.94
"""Least roundness, largest ratio of the sides, and least share of the convex hull of one cell."""

MOST_PURPLE = 0.1
"""Mean purple of a red cell is less; that of leukocytes and platelets is more."""

LEAST_AREA = 40.0
"""Pixels; smaller objects are noise."""

LEAST_WIDTH, NARROWEST = 0.35, 4.0
"""Widest places are at least this share of the widest one, and so many pixels wide."""

WIDEST_PLACE = 0.82
"""Median of the distances of the middles of cells from the ground, as a share of the radius."""


def round_red_cells(picture: np.ndarray) -> np.ndarray:
    """Return the diameters of the round red cells that touch no other.

    Args:
        picture: uint8 (height, width, 3), RGB.

    Returns:
        float (n,), pixels.
    """
    return _at_best_size(picture, _round_diameters)


def widest_places(picture: np.ndarray) -> np.ndarray:
    """Return the widths of red cells, also of those that touch one another, as diameters.

    Args:
        picture: uint8 (height, width, 3), RGB.

    Returns:
        float (n,), pixels.
    """
    return _at_best_size(picture, _widths)


def _at_best_size(picture: np.ndarray, measure: Callable) -> np.ndarray:
    """Measure in the shrunk picture; in the whole one where the red cells are too small then."""
    factor = max(1.0, max(picture.shape[:2]) / LONGEST_SIDE)
    found = measure(*_dark_pixels(picture, factor))
    if factor > 1 and (not len(found) or np.median(found) < SMALLEST):
        factor = 1.0
        found = measure(*_dark_pixels(picture, factor))
    return factor * found


def _dark_pixels(picture: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what is no glass, uint8 (height, width), and how purple it is, float32."""
    if factor > 1:
        size = [max(1, round(length / factor)) for length in picture.shape[1::-1]]
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    green = cv2.GaussianBlur(np.ascontiguousarray(picture[..., GREEN]), (0, 0), 1.0)
    counts = np.bincount(green.ravel(), minlength=256)
    dark = (green <= otsu_bin(counts)).astype(np.uint8)
    glass = glass_colour(counts, picture[::4, ::4].reshape(-1, 3))
    return dark, purple_of(picture, glass)


def _round_diameters(dark: np.ndarray, purple: np.ndarray) -> np.ndarray:
    outlines, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [
        cv2.contourArea(outline)
        for outline in outlines
        if _is_red_cell(outline, dark.shape, purple)
    ]
    return 2 * np.sqrt(np.array(areas) / math.pi)


def _is_red_cell(outline: np.ndarray, shape: tuple[int, int], purple: np.ndarray) -> bool:
    area = cv2.contourArea(outline)
    if area < LEAST_AREA:
        return False
    left, top, width, height = cv2.boundingRect(outline)
    if left == 0 or top == 0 or left + width == shape[1] or top + height == shape[0]:
        return False
    if max(width, height) > MOST_STRETCHED * min(width, height):
        return False
    around = cv2.arcLength(outline, True)
    if 4 * math.pi * area < ROUNDEST * around**2:
        return False
    if area < SOLID * cv2.contourArea(cv2.convexHull(outline)):
        return False
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [outline], -1, 1, -1, offset=(-left, -top))
    part = purple[top : top + height, left : left + width]
    return float(part[inside > 0].mean()) < MOST_PURPLE


def _widths(dark: np.ndarray, purple: np.ndarray) -> np.ndarray:
    """Return twice the distances from the ground at their maxima, the pale middles filled."""
    dark = np.where(purple > MOST_PURPLE, 0, dark).astype(np.uint8)
    outlines, levels = cv2.findContours(dark, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    # Without glass there is nothing that the cells could be distinguished from.
    if not outlines or dark.all():
        return np.zeros(0)
    rough = cv2.distanceTransform(dark, cv2.DIST_L2, 3)
    hole = math.pi * (1.3 * np.quantile(rough[dark > 0], 0.9)) ** 2
    for outline, level in zip(outlines, levels[0], strict=True):
        if level[3] >= 0 and cv2.contourArea(outline) < hole:
            cv2.drawContours(dark, [outline], -1, 1, -1)
    distance = cv2.GaussianBlur(cv2.distanceTransform(dark, cv2.DIST_L2, 5), (0, 0), 1.0)
    reach = 2 * math.ceil(min(float(distance.max()), LONGEST_SIDE) / 2) + 1
    peak = distance >= cv2.dilate(distance, np.ones((reach, reach), np.uint8)) - 1e-6
    widths = 2 * distance[peak & (distance > LEAST_WIDTH * distance.max())] / WIDEST_PLACE
    return widths[widths >= NARROWEST]


def red_cell_diameter(
    round_cells: np.ndarray, widths: Callable[[], np.ndarray]
) -> tuple[float | None, str, int]:
    """Return the diameter of the red cells of photographs of one size.

    Args:
        round_cells: What :func:`round_red_cells` returned for all of them, float (n,).
        widths: Returns the same of :func:`widest_places`; only called where there are fewer than
            ``ENOUGH`` round ones.

    Returns:
        Pixels, None where there is no red cell; how it was found, one of
        :data:`blastfold.core.names.SCALES`; and the number of red cells that it was found from.
    """
    if len(round_cells) >= ENOUGH:
        return weighted_median(round_cells, round_cells**2), BY_ROUND_CELLS, len(round_cells)
    measured = widths()
    if not len(measured):
        return None, NO_RED_CELLS, 0
    return weighted_median(measured, measured**2), BY_WIDEST_PLACES, len(measured)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which half of the weight is."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
