"""Photographs and slides in the size in which they are shown."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.cells.sources import opened
from blastfold.slides.reading import Slide
from blastfold.slides.thumbnail import PIXELS_ACROSS_A_TILE, make_thumbnail


class Shown(NamedTuple):
    """A photograph as it is shown.

    Attributes:
        picture: uint8 (height, width, 3), RGB.
        factor: Pixels of the picture for one pixel of the photograph.
    """

    picture: np.ndarray
    factor: float


def show(path: Path, shortest: int, longest: int) -> Shown:
    """Read a photograph or a slide in a size for readers.

    Args:
        path: The file.
        shortest: Its longer side gets at least so many pixels; a slide is never enlarged.
        longest: And at most so many.

    Raises:
        BlastfoldError: The file cannot be read; the message is the reason.
    """
    with opened(path) as source:
        if isinstance(source, Slide):
            side = max(source.width, source.height)
            step = side / min(side, longest)
            picture, covered = make_thumbnail(source, step * PIXELS_ACROSS_A_TILE)
            # The slide was shrunk by a whole factor, perhaps by too little.
            smaller = resized(picture, 1, longest)
            return Shown(smaller.picture, smaller.factor / covered)
        return resized(source, shortest, longest)


def resized(picture: np.ndarray, shortest: int, longest: int) -> Shown:
    """Bring a picture, uint8 (height, width, 3), to a size for readers; arguments as above."""
    height, width = picture.shape[:2]
    side = max(height, width)
    factor = min(max(side, shortest), longest) / side
    if factor == 1:
        return Shown(picture, 1.0)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return Shown(cv2.resize(picture, size, interpolation=how), factor)


BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""Lengths of scale bars, micrometres."""

WIDEST_BAR = 0.2
"""A scale bar is at most such a share of the picture's width."""


def scale_bar(width: float, micrometres: float) -> tuple[int, float] | None:
    """Choose the length of a scale bar.

    Args:
        width: Of the picture, pixels.
        micrometres: Per pixel; NaN where the scale is not known.

    Returns:
        Micrometres and pixels of the bar; None where the scale is not known, or no bar fits.
    """
    fitting = [length for length in BARS if length <= WIDEST_BAR * width * micrometres]
    return (fitting[-1], fitting[-1] / micrometres) if fitting else None
