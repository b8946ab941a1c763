"""Cells around their nuclei: outlines and measures, at the scale at which nuclei are looked for."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.cells.nuclei import RED_CELL, Part
from blastfold.cells.optics import GREEN

REACH = 0.8
"""Diameters of a red cell; the body of a cell ends at this distance from its nucleus."""

FAINT = 1e-6
"""Purple below which a texture has no meaning."""

RIM, LEAST_INSIDE = 5, 30
"""Side of the square that takes off the rim of a nucleus, and least number of pixels that are left
for a measure of its inside."""


class Outline(NamedTuple):
    """A cell at the scale at which nuclei are looked for.

    Attributes:
        points: float64 (n, 2), x and y of its outline in pixels of the map; a pixel's middle is a
            whole number.
        centre: x and y of its centroid.
        area: Pixels.
        nucleus_area: Pixels.
        roundness: 4 pi area / perimeter ** 2 of the outline, 1 for a disc.
        lobes: Number of separate parts of the nucleus.
        colour: Mean grey levels of red, green and blue over the cell.
        purple: Mean purple of the nucleus.
        at_edge: Whether it touches the edge of the map.
        solidity: Area as a share of that of the convex hull.
        stretch: Ratio of the sides of the narrowest rectangle around it.
        thinness: Area as a share of that of the largest disc in it, 1 for a disc.
        nucleus_colour: Mean grey levels of red, green and blue over the nucleus.
        contrast: Standard deviation of green inside the nucleus, grey levels; NaN for small ones.
        texture: Standard deviation of purple inside the nucleus as a share of its mean; NaN too.
    """

    points: np.ndarray
    centre: tuple[float, float]
    area: float
    nucleus_area: float
    roundness: float
    lobes: int
    colour: tuple[float, float, float]
    purple: float
    at_edge: bool
    solidity: float
    stretch: float
    thinness: float
    nucleus_colour: tuple[float, float, float]
    contrast: float
    texture: float


def outline_cells(
    nuclei: list[list[Part]], bodies: np.ndarray, picture: np.ndarray, purple: np.ndarray
) -> list[Outline]:
    """Give every nucleus its part of the cell bodies and measure it.

    Args:
        nuclei: What :func:`blastfold.cells.nuclei.find_nuclei` returned.
        bodies: int32 (height, width), number of the body of each pixel.
        picture: uint8 (height, width, 3), RGB.
        purple: float32 (height, width).
    """
    if not nuclei:
        return []
    owners = _owners(nuclei, bodies)
    return [
        _outline(number, parts, owners, picture, purple)
        for number, parts in enumerate(nuclei, start=1)
    ]


def _owners(nuclei: list[list[Part]], bodies: np.ndarray) -> np.ndarray:
    """Return the number of the cell of each pixel, from 1; 0 outside."""
    seeds = np.zeros(bodies.shape, np.int32)
    for number, parts in enumerate(nuclei, start=1):
        for part in parts:
            height, width = part.mask.shape
            window = seeds[part.top : part.top + height, part.left : part.left + width]
            window[part.mask > 0] = number
    distance, nearest = cv2.distanceTransformWithLabels(
        (seeds == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    names = np.zeros(int(nearest.max()) + 1, np.int32)
    inside = seeds > 0
    names[nearest[inside]] = seeds[inside]
    # A body with one nucleus is of that nucleus, whatever nucleus of another body is nearer.
    alone = np.zeros(int(bodies.max()) + 1, np.int32)
    pairs = {(part.body, number) for number, parts in enumerate(nuclei, 1) for part in parts}
    for body, number in pairs:
        alone[body] = number if alone[body] == 0 else -1
    owners = np.where(alone[bodies] > 0, alone[bodies], names[nearest])
    owners[(bodies == 0) | (distance > REACH * RED_CELL)] = 0
    owners[inside] = seeds[inside]
    return owners


def _outline(
    number: int, parts: list[Part], owners: np.ndarray, picture: np.ndarray, purple: np.ndarray
) -> Outline:
    ends = np.array([(part.top, part.left, *part.mask.shape) for part in parts])
    reach = math.ceil(REACH * RED_CELL) + 1
    top, left = np.maximum(ends[:, :2].min(axis=0) - reach, 0).tolist()
    bottom, right = ((ends[:, :2] + ends[:, 2:]).max(axis=0) + reach).tolist()
    window = slice(top, bottom), slice(left, right)
    mask = (owners[window] == number).astype(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top))
    points = max(found, key=cv2.contourArea)
    shape = mask.astype(bool)
    area, nucleus_area = int(np.count_nonzero(shape)), sum(part.area for part in parts)
    rows, columns = np.nonzero(shape)
    around = cv2.arcLength(points, True)
    last_row, last_column = (length - 1 for length in owners.shape)
    first = min(top + rows.min(), left + columns.min())
    at_edge = first <= 0 or top + rows.max() >= last_row or left + columns.max() >= last_column
    return Outline(
        points=points[:, 0].astype(np.float64),
        centre=(left + float(columns.mean()), top + float(rows.mean())),
        area=float(area),
        nucleus_area=float(nucleus_area),
        # The outline runs through the middles of the pixels at the edge.
        roundness=min(1.0, 4 * math.pi * area / (around + math.pi) ** 2) if around else 1.0,
        lobes=len(parts),
        colour=tuple(picture[window][shape].mean(axis=0).tolist()),
        at_edge=bool(at_edge),
        **_shape(points, mask, area),
        **_nucleus(_nucleus_mask(parts, mask.shape, top, left), picture[window], purple[window]),
    )


def _shape(points: np.ndarray, mask: np.ndarray, area: int) -> dict[str, float]:
    """Return solidity, stretch and thinness."""
    # The outline runs through the middles of the pixels at the edge.
    hull = cv2.convexHull(points)
    within = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    sides = [side + 1 for side in cv2.minAreaRect(points)[1]]
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    radius = float(cv2.distanceTransform(padded, cv2.DIST_L2, 5).max())
    return {
        "solidity": min(1.0, area / within),
        "stretch": max(sides) / min(sides),
        "thinness": area / (math.pi * radius**2),
    }


def _nucleus_mask(parts: list[Part], shape: tuple[int, int], top: int, left: int) -> np.ndarray:
    """Return the parts of a nucleus in a window of the map, uint8 (height, width)."""
    nucleus = np.zeros(shape, np.uint8)
    for part in parts:
        height, width = part.mask.shape
        row, column = part.top - top, part.left - left
        nucleus[row : row + height, column : column + width] |= part.mask
    return nucleus


def _nucleus(nucleus: np.ndarray, picture: np.ndarray, purple: np.ndarray) -> dict:
    """Return mean purple, mean colour, contrast and texture of a nucleus."""
    whole = nucleus > 0
    mean = float(purple[whole].mean())
    found = {"purple": mean, "nucleus_colour": tuple(picture[whole].mean(axis=0).tolist())}
    edged = cv2.copyMakeBorder(nucleus, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.erode(edged, np.ones((RIM, RIM), np.uint8))[1:-1, 1:-1] > 0
    if np.count_nonzero(inside) < LEAST_INSIDE:
        return found | {"contrast": math.nan, "texture": math.nan}
    contrast, texture = float(picture[..., GREEN][inside].std()), float(purple[inside].std())
    return found | {"contrast": contrast, "texture": texture / max(abs(mean), FAINT)}
