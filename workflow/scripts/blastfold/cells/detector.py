"""Leukocytes in a picture of a stained smear, found without trained weights.

Nuclei are purple. What is purple is compared with red cells, whose size is known: smaller things
are platelets or pieces, several small ones close together are the lobes of one nucleus, large ones
with a neck are two cells that touch. What has the colour, texture or shape of no cell is an
artefact.
"""

from typing import NamedTuple

import cv2
import numpy as np

from blastfold.cells.artefacts import is_artefact
from blastfold.cells.nuclei import AREA, RED_CELL, find_nuclei
from blastfold.cells.optics import (
    GREEN,
    Light,
    glass_colour,
    nucleus_threshold,
    purple_histogram,
    purple_of,
)
from blastfold.cells.outlines import Outline, outline_cells
from blastfold.core.names import ARTEFACT, CUT_BY_EDGE, PIECE_AT_EDGE, PLATELET, TOO_LARGE

LEAST_AREA, LEAST_AT_EDGE, LARGEST_AREA = 0.33, 0.12, 8.0
"""Areas of a red cell; least area of a whole nucleus and of one cut by the edge of the photograph,
and area above which it is a clump or no cell."""

LEAST_SHOWN = 0.03
"""Areas of a red cell; smaller purple things are not reported."""

SIMPLER = 0.5
"""Pixels at the scale of detection; outlines are simplified by so much."""


class Cell(NamedTuple):
    """A cell of a picture, in its pixels; the middle of the first pixel is (0, 0).

    Attributes:
        x: Column of the centroid.
        y: Row of the centroid.
        box: Left, top, width and height.
        outline: float64 (n, 2), x and y of the corners.
        area: Square pixels.
        nucleus_area: Square pixels.
        roundness: See :class:`blastfold.cells.outlines.Outline`.
        lobes: Separate parts of the nucleus.
        colour: Mean grey levels of red, green and blue.
        purple: Mean purple of the nucleus, optical density.
        set_aside: Why it is not a whole leukocyte, one of :data:`blastfold.core.names.SET_ASIDE`;
            empty for leukocytes.
    """

    x: float
    y: float
    box: tuple[float, float, float, float]
    outline: np.ndarray
    area: float
    nucleus_area: float
    roundness: float
    lobes: int
    colour: tuple[float, float, float]
    purple: float
    set_aside: str


def shrink(picture: np.ndarray, diameter: float) -> np.ndarray:
    """Bring a picture to the scale of detection, at which a red cell has ``RED_CELL`` pixels.

    Args:
        picture: uint8 (height, width, 3).
        diameter: Of its red cells, pixels.
    """
    factor = RED_CELL / diameter
    size = [max(1, round(length * factor)) for length in picture.shape[1::-1]]
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, size, interpolation=how)


def measure_light(small: np.ndarray) -> Light:
    """Measure glass and threshold of a picture.

    Args:
        small: uint8 (height, width, 3), RGB, at the scale of detection.
    """
    counts = np.bincount(small[..., GREEN].ravel(), minlength=256)
    glass = glass_colour(counts, small[::2, ::2].reshape(-1, 3))
    return Light(glass, nucleus_threshold(purple_histogram(smooth_purple(small, glass))))


def smooth_purple(small: np.ndarray, glass: tuple[float, float, float]) -> np.ndarray:
    """Return how purple each pixel is, without the noise of single pixels."""
    return cv2.GaussianBlur(purple_of(small, glass), (0, 0), 1.0)


def find_cells(
    picture: np.ndarray,
    diameter: float,
    light: Light | None = None,
) -> list[Cell]:
    """Find the leukocytes of a picture, and what looks like one in part.

    Args:
        picture: uint8 (height, width, 3), RGB.
        diameter: Of its red cells, pixels.
        light: Glass and threshold; None measures them in this picture.

    Returns:
        The cells, from the top to the bottom.
    """
    small = shrink(picture, diameter)
    light = light or measure_light(small)
    purple = smooth_purple(small, light.glass)
    nuclei, bodies = find_nuclei(purple, light.threshold)
    scale = tuple(
        whole / part for whole, part in zip(picture.shape[1::-1], small.shape[1::-1], strict=True)
    )
    least = LEAST_SHOWN * AREA
    shown = [parts for parts in nuclei if sum(part.area for part in parts) >= least]
    outlines = outline_cells(shown, bodies, small, purple)
    cells = [make_cell(found, scale, _reason(found, light)) for found in outlines]
    return sorted(cells, key=lambda cell: (cell.y, cell.x))


def make_cell(found: Outline, scale: tuple[float, float], set_aside: str) -> Cell:
    """Return a cell in pixels of the picture.

    Args:
        found: At the scale of detection.
        scale: Pixels of the picture for one at that scale, across and down.
        set_aside: Why it is not a whole leukocyte; empty for leukocytes.
    """
    across, down = scale
    points = cv2.approxPolyDP(found.points.astype(np.int32), SIMPLER, True)[:, 0]
    # The middle of a pixel of the small picture is the middle of what it shows.
    outline = (points + 0.5) * scale - 0.5
    left, top = found.points.min(axis=0) * scale
    right, bottom = (found.points.max(axis=0) + 1) * scale
    square = across * down
    return Cell(
        x=(found.centre[0] + 0.5) * across - 0.5,
        y=(found.centre[1] + 0.5) * down - 0.5,
        box=(float(left), float(top), float(right - left), float(bottom - top)),
        outline=outline,
        area=found.area * square,
        nucleus_area=found.nucleus_area * square,
        roundness=found.roundness,
        lobes=found.lobes,
        colour=found.colour,
        purple=found.purple,
        set_aside=set_aside,
    )


def _reason(found: Outline, light: Light) -> str:
    areas = found.nucleus_area / AREA
    if areas > LARGEST_AREA:
        return TOO_LARGE
    if areas < (LEAST_AT_EDGE if found.at_edge else LEAST_AREA):
        return PIECE_AT_EDGE if found.at_edge else PLATELET
    if is_artefact(found, light.glass):
        return ARTEFACT
    return CUT_BY_EDGE if found.at_edge else ""
