"""Where the cell is in an image, and plain measures of image, cell and ground.

Trivial baselines are fitted on these measures: a network that is no better than the mean colour has
not been shown to see more than the mean colour.

The cell is found in one of three ways, of which the first possible one is used: by a mask that the
data set has; by a ground masked in black or white, as around the cells of C-NMC; by the stain. The
last one uses Otsu's threshold of the red channel twice, for the nucleus and for the cytoplasm
around it: both absorb red light, the ground hardly does (Otsu 1979, A threshold selection method
from gray-level histograms). Of the dark regions the one that covers most of the centre is the
nucleus, because crops are taken around cells. Red blood cells that touch the cell are cut off by an
opening.
"""

from typing import NamedTuple

import cv2
import numpy as np

from blastfold.core.image_measures import (
    BY_GROUND,
    BY_MASK,
    BY_STAIN,
    CELL_SHARE,
    COLOURS,
    GROUND,
    MEASURES,
    NOT_FOUND,
)
from blastfold.images.otsu import otsu_threshold
from blastfold.images.stain import is_shown

MASKED_BORDER = 0.5
"""Smallest share of the border's pixels that are masked where the ground is masked."""

LEAST_CONTRAST = 20.0
"""Smallest difference of the mean red of ground and cell, in grey levels, that shows a cell."""

CENTRE = 0.25
"""Radius of the centre that a cell must cover a part of, as a share of the shorter side."""

LIMITS = (0.01, 0.95)
"""Smallest and largest share of an image that a cell takes."""

THINNEST = 0.06
"""Half of the width of what connects cytoplasm and cell, as a share of the shorter side."""

MARGIN = 0.04
"""Rim around the cell that is not counted as ground, as a share of the shorter side."""


class Cell(NamedTuple):
    """A cell in an image.

    Attributes:
        mask: bool (height, width), True on the cell; None where none was found.
        found_by: ``mask``, ``ground``, ``stain`` or ``not found``.
    """

    mask: np.ndarray | None
    found_by: str


def find_cell(image: np.ndarray, mask: np.ndarray | None = None) -> Cell:
    """Find the cell in the middle of an image.

    Args:
        image: uint8 (height, width, 3), RGB.
        mask: bool (height, width) of the data set; None where it has none.

    Returns:
        The cell. There is none in an image of one colour, without contrast, or where what was found
        takes nearly nothing or nearly all of the image.
    """
    if mask is not None:
        return Cell(mask, BY_MASK) if mask.any() else Cell(None, NOT_FOUND)
    shown = is_shown(image)
    border = np.concatenate([shown[0], shown[-1], shown[:, 0], shown[:, -1]])
    if shown.any() and np.mean(~border) >= MASKED_BORDER:
        return Cell(_filled(shown), BY_GROUND)
    return _find_by_stain(image)


def measure(image: np.ndarray, cell: Cell) -> dict[str, float]:
    """Return the measures of an image, see :data:`blastfold.core.image_measures.MEASURES`.

    Args:
        image: uint8 (height, width, 3), RGB.
        cell: From :func:`find_cell`.

    Returns:
        Colours in grey levels (0-255), the cell's area as a share of the image. What needs a cell
        is NaN without one, and so are the colours of the ground where there is none. A masked
        ground has no colour: all of its measures are 0.
    """
    pixels = image.reshape(-1, 3).astype(np.float64)
    values = dict(zip(COLOURS, pixels.mean(axis=0), strict=True))
    if cell.mask is None:
        return values | dict.fromkeys(MEASURES[len(COLOURS) :], np.nan)
    ground = ~_widened(cell.mask).ravel()
    colours = np.full(len(GROUND), np.nan)
    if cell.found_by == BY_GROUND:
        colours = np.zeros(len(GROUND))
    elif ground.any():
        colours = np.stack([pixels[ground].mean(axis=0), pixels[ground].std(axis=0)], axis=1)
    values[CELL_SHARE] = float(cell.mask.mean())
    return values | dict(zip(GROUND, np.ravel(colours), strict=True))


def _find_by_stain(image: np.ndarray) -> Cell:
    red = cv2.medianBlur(np.ascontiguousarray(image[..., 0]), 3)
    threshold = _distinct_level(red.ravel())
    if threshold is None:
        return Cell(None, NOT_FOUND)
    dark = red <= threshold
    _, regions = cv2.connectedComponents(dark.astype(np.uint8), connectivity=4)
    covered = np.bincount(regions[_centre(dark.shape) & dark], minlength=regions.max() + 1)
    if not covered.any():
        return Cell(None, NOT_FOUND)
    nucleus = regions == covered.argmax()
    mask = _filled(_with_cytoplasm(red, nucleus, _distinct_level(red[~dark])))
    least, most = LIMITS
    return Cell(mask, BY_STAIN) if least <= mask.mean() <= most else Cell(None, NOT_FOUND)


def _distinct_level(levels: np.ndarray) -> float | None:
    """Return Otsu's threshold of grey levels; None where dark and bright hardly differ."""
    level = otsu_threshold(levels)
    dark = levels <= level
    if not dark.any() or dark.all():
        return None
    return level if levels[~dark].mean() - levels[dark].mean() >= LEAST_CONTRAST else None


def _with_cytoplasm(red: np.ndarray, nucleus: np.ndarray, level: float | None) -> np.ndarray:
    """Return the nucleus with what is connected to it and at most as bright as a level."""
    if level is None:
        return nucleus
    opened = cv2.morphologyEx(
        (red <= level).astype(np.uint8), cv2.MORPH_OPEN, _disc(THINNEST * min(red.shape))
    )
    together = (opened | nucleus).astype(np.uint8)
    _, regions = cv2.connectedComponents(together, connectivity=4)
    return regions == np.bincount(regions[nucleus]).argmax()


def _centre(shape: tuple[int, int]) -> np.ndarray:
    height, width = shape
    down, right = np.ogrid[:height, :width]
    reach = CENTRE * min(height, width)
    return (down - (height - 1) / 2) ** 2 + (right - (width - 1) / 2) ** 2 <= reach**2


def _filled(mask: np.ndarray) -> np.ndarray:
    """Return a mask without holes: what the border's ground does not reach is inside."""
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    _, regions = cv2.connectedComponents(outside, connectivity=4)
    return (regions != regions[0, 0])[1:-1, 1:-1]


def _widened(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), _disc(MARGIN * min(mask.shape))).astype(bool)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
