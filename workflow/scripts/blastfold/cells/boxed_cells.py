"""Cells whose boxes another detector found: nucleus, outline and measures from inside the box.

The nucleus is what is purple in the ellipse of the box, at the threshold of the classical detector.
Where boxes overlap, a pixel is of the box whose middle is nearer, in units of its sides.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from blastfold.cells.detector import Cell, make_cell, measure_light, shrink, smooth_purple
from blastfold.cells.nuclei import (
    AREA,
    LARGEST_BODY_HOLE,
    LEAST_PART,
    Part,
    body_mask,
    fill_holes,
    make_part,
    nucleus_mask,
)
from blastfold.cells.optics import Light
from blastfold.cells.outlines import Outline, outline_cells
from blastfold.core.names import CUT_BY_EDGE

ROOM = 1.2
"""Squared distance from the middle of a box, in half sides, up to which pixels are of its cell; 1
is the ellipse that touches the sides."""

REACH = math.sqrt(ROOM)

LEAST_BODY = 0.2
"""Share of its ellipse that a cell must fill; else the ellipse is its outline."""

AT_EDGE = 1.0
"""Pixels at the scale of detection; a box that is so close to the edge of the picture is cut."""


class Box(NamedTuple):
    """What a detector found.

    Attributes:
        left: Pixels of the picture; the upper left corner of the first pixel is (0, 0).
        top: Pixels.
        width: Pixels.
        height: Pixels.
        set_aside: Why it is no leukocyte, one of :data:`blastfold.core.names.SET_ASIDE`; empty for
            leukocytes.
    """

    left: float
    top: float
    width: float
    height: float
    set_aside: str


def find_boxed_cells(
    picture: np.ndarray,
    diameter: float,
    light: Light | None = None,
    *,
    boxes_of: Callable[[np.ndarray, float], Sequence[Box]],
) -> list[Cell]:
    """Find the cells of a picture by a detector that returns boxes.

    Args:
        picture: uint8 (height, width, 3), RGB.
        diameter: Of its red cells, pixels.
        light: Glass and threshold; None measures them in this picture.
        boxes_of: Returns the boxes of a picture, from the picture and the diameter.

    Returns:
        The cells, from the top to the bottom.
    """
    height, width = picture.shape[:2]
    found = [
        clipped for box in boxes_of(picture, diameter) if (clipped := _clip(box, width, height))
    ]
    if not found:
        return []
    small = shrink(picture, diameter)
    light = light or measure_light(small)
    purple = smooth_purple(small, light.glass)
    scale = tuple(
        whole / part for whole, part in zip(picture.shape[1::-1], small.shape[1::-1], strict=True)
    )
    boxes = np.array([box[:4] for box in found]) / (*scale, *scale)
    cells = [
        make_cell(outline, scale, _reason(box, corners, purple.shape, outline))
        for box, corners, outline in zip(
            found, boxes, outline_boxes(boxes, small, purple, light.threshold), strict=True
        )
    ]
    return sorted(cells, key=lambda cell: (cell.y, cell.x))


def _clip(box: Box, width: int, height: int) -> Box | None:
    """Return the part of a box within the picture; None where less than a pixel is left."""
    left, top = max(0.0, box.left), max(0.0, box.top)
    right, bottom = min(width, box.left + box.width), min(height, box.top + box.height)
    if right - left < 1 or bottom - top < 1:
        return None
    return box._replace(left=left, top=top, width=right - left, height=bottom - top)


def _reason(box: Box, corners: np.ndarray, shape: tuple[int, int], outline: Outline) -> str:
    if box.set_aside:
        return box.set_aside
    left, top, width, height = corners.tolist()
    ends = min(left, top), shape[1] - left - width, shape[0] - top - height
    return CUT_BY_EDGE if outline.at_edge or min(ends) < AT_EDGE else ""


def outline_boxes(
    boxes: np.ndarray, picture: np.ndarray, purple: np.ndarray, threshold: float
) -> list[Outline]:
    """Outline the cell of every box and measure it.

    Args:
        boxes: float (n, 4), left, top, width and height, pixels at the scale of detection.
        picture: uint8 (height, width, 3), RGB, at that scale.
        purple: float32 (height, width), how purple each pixel is.
        threshold: Purple of the palest pixel of a nucleus.
    """
    owners = _owners(boxes, purple.shape)
    nuclei = nucleus_mask(purple, threshold)
    bodies = body_mask(purple, threshold, nuclei)
    fill_holes(bodies, LARGEST_BODY_HOLE * AREA)
    parts, empty = [], []
    for number, window in enumerate(ndimage.find_objects(owners, len(boxes)), start=1):
        of_nucleus = _nucleus(number, window, owners, nuclei) if window else []
        empty.append(not of_nucleus)
        if window:
            inside = owners[window] == number
            filled = np.count_nonzero(inside & (bodies[window] > 0))
            if not of_nucleus or filled < LEAST_BODY * np.count_nonzero(inside):
                bodies[window][inside] = 1
        parts.append(of_nucleus or [_ellipse(number, window, owners, boxes[number - 1])])
    shown = np.where(bodies > 0, owners, 0)
    outlines = outline_cells(parts, shown, picture, purple)
    return [
        outline._replace(nucleus_area=0.0, lobes=0) if without else outline
        for outline, without in zip(outlines, empty, strict=True)
    ]


def _owners(boxes: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the number of the box of each pixel, int32 (height, width), from 1; 0 outside."""
    owners, nearest = np.zeros(shape, np.int32), np.full(shape, np.inf, np.float32)
    for number, (left, top, width, height) in enumerate(boxes.tolist(), start=1):
        middle = left + width / 2 - 0.5, top + height / 2 - 0.5
        halves = width / 2, height / 2
        columns, rows = (
            slice(max(0, math.floor(at - REACH * half)), max(0, math.ceil(at + REACH * half)) + 1)
            for at, half in zip(middle, halves, strict=True)
        )
        window = nearest[rows, columns]
        down, across = np.mgrid[rows, columns][:, : window.shape[0], : window.shape[1]]
        far = ((across - middle[0]) / halves[0]) ** 2 + ((down - middle[1]) / halves[1]) ** 2
        own = (far <= ROOM) & (far < window)
        window[own] = far[own]
        owners[rows, columns][own] = number
    return owners


def _nucleus(number: int, window: tuple, owners: np.ndarray, nuclei: np.ndarray) -> list[Part]:
    """Return the components of the nucleus of a box that are no noise."""
    mask = ((owners[window] == number) & (nuclei[window] > 0)).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    top, left = window[0].start, window[1].start
    found = []
    for label, (x, y, width, height, area) in enumerate(stats.tolist()):
        if label and area >= LEAST_PART * AREA:
            piece = (labels[y : y + height, x : x + width] == label).astype(np.uint8)
            found.append(make_part(piece, top + y, left + x)._replace(body=number))
    return found


def _ellipse(number: int, window: tuple | None, owners: np.ndarray, box: np.ndarray) -> Part:
    """Return the ellipse of a box as one part; its middle pixel where others cover all of it."""
    if window:
        mask = (owners[window] == number).astype(np.uint8)
        return make_part(mask, window[0].start, window[1].start)._replace(body=number)
    height, width = owners.shape
    left, top = (box[:2] + box[2:] / 2).astype(int).tolist()
    middle = np.ones((1, 1), np.uint8)
    return make_part(middle, min(top, height - 1), min(left, width - 1))._replace(body=number)
