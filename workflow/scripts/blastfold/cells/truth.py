"""Detections compared with known cells: boxes or positions."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

IMPOSSIBLE = 1e12
"""Cost of a pair that does not fit; larger than the squared diagonal of any photograph."""


class Comparison(NamedTuple):
    """Detections of one photograph next to its known cells.

    Attributes:
        found: int (n, 2), number of the detection and of the known cell that it is.
        missed: Numbers of the known cells without a detection.
        false: Numbers of the detections without a known cell; second detections of one cell are
            among them.
    """

    found: np.ndarray
    missed: np.ndarray
    false: np.ndarray


def compare_with_boxes(points: np.ndarray, boxes: np.ndarray) -> Comparison:
    """Compare detections with boxes: a detection is right where its centre is in the box.

    Each box takes one detection, and each detection one box. As many as possible are paired, and
    of such pairings the one with the least distances from the middles of the boxes.

    Args:
        points: float (n, 2), x and y of the detections.
        boxes: float (m, 4), left, top, width and height.
    """
    points, boxes = np.reshape(points, (-1, 2)), np.reshape(boxes, (-1, 4))
    offset = points[:, None] - boxes[None, :, :2]
    fits = ((offset >= 0) & (offset <= boxes[None, :, 2:])).all(axis=2)
    return _pair(points, boxes[:, :2] + boxes[:, 2:] / 2, fits)


def compare_with_positions(points: np.ndarray, positions: np.ndarray, reach: float) -> Comparison:
    """Compare detections with positions: a detection is right within some distance.

    Args:
        points: float (n, 2), x and y of the detections.
        positions: float (m, 2), x and y of the known cells.
        reach: Largest distance, pixels.
    """
    points, positions = np.reshape(points, (-1, 2)), np.reshape(positions, (-1, 2))
    apart = np.hypot(*(points[:, None] - positions[None]).transpose(2, 0, 1))
    return _pair(points, positions, apart <= reach)


def _pair(points: np.ndarray, middles: np.ndarray, fits: np.ndarray) -> Comparison:
    squares = ((points[:, None] - middles[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(np.where(fits, squares, IMPOSSIBLE))
    right = fits[rows, columns]
    found = np.column_stack([rows[right], columns[right]])
    return Comparison(
        found,
        np.setdiff1d(np.arange(len(middles)), found[:, 1]),
        np.setdiff1d(np.arange(len(points)), found[:, 0]),
    )
