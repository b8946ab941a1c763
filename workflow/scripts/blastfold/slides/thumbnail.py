"""A slide at low magnification, made without ever holding a level in memory."""

import logging

import cv2
import numpy as np

from blastfold.slides.reading import Slide, UnusableSlideError
from blastfold.slides.streaming import stream_boxes

PIXELS_ACROSS_A_TILE = 16
LEAST_SIDE = 512
"""Pixels of the longer side that a thumbnail has at least, as far as the slide has them."""

LONGEST_SIDE = 4096
"""Pixels of the largest thumbnail, so that memory does not grow with the slide."""

BLOCK = 1024
"""Pixels of a level that are shrunk at a time, across and down."""

logger = logging.getLogger(__name__)


def make_thumbnail(slide: Slide, tile_size: float, threads: int = 1) -> tuple[np.ndarray, float]:
    """Shrink a slide so far that a tile is some 16 pixels wide, on a small slide more.

    The coarsest level that is fine enough is read, and shrunk by a whole factor, each new pixel
    being the mean of those that it covers. Without a pyramid that is level 0.

    Args:
        slide: An open slide.
        tile_size: Width of a tile in pixels of level 0.
        threads: Threads that decode.

    Returns:
        uint8 (h, w, 3), and the pixels of level 0 that one of its pixels covers. Damaged
        parts are white.

    Raises:
        UnusableSlideError: Nothing of the slide can be decoded.
    """
    longest = max(slide.width, slide.height)
    wanted = min(tile_size / PIXELS_ACROSS_A_TILE, longest / LEAST_SIDE)
    step = max(1.0, wanted, longest / LONGEST_SIDE)
    fine_enough = [level for level in slide.levels if level.downsample <= step + 1e-3]
    level = max(fine_enough, key=lambda one: one.downsample)
    factor = max(1, round(step / level.downsample))
    while longest / level.downsample / factor > LONGEST_SIDE + 1:
        factor += 1
    boxes = _blocks(level.width, level.height, factor)
    thumbnail = np.full(
        (-(-level.height // factor), -(-level.width // factor), 3), 255, dtype=np.uint8
    )
    damaged = 0
    blocks = stream_boxes(level, boxes, lambda image: _shrink(image, factor), threads, True)
    for number, block in blocks:
        if block is None:
            damaged += 1
            continue
        left, top = boxes[number, :2] // factor
        thumbnail[top : top + block.shape[0], left : left + block.shape[1]] = block
    if damaged == len(boxes):
        raise UnusableSlideError(
            f"'{slide.path}': nothing of the image can be decoded; it is damaged."
        )
    logger.info("thumbnail of %d x %d pixels", *thumbnail.shape[1::-1])
    return thumbnail, factor * level.downsample


def _blocks(width: int, height: int, factor: int) -> np.ndarray:
    side = max(1, BLOCK // factor) * factor
    boxes = [
        (x, y, min(side, width - x), min(side, height - y))
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    return np.array(boxes, dtype=np.int64)


def _shrink(image: np.ndarray, factor: int) -> np.ndarray:
    """Take the mean of squares; at the right and lower edge of what is left of them."""
    height, width = image.shape[:2]
    down, across = -height % factor, -width % factor
    if down or across:
        image = cv2.copyMakeBorder(image, 0, down, 0, across, cv2.BORDER_REPLICATE)
    size = (image.shape[1] // factor, image.shape[0] // factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
