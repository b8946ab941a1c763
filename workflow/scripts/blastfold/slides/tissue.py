"""Where on a slide is tissue, where is a pen mark, and how sharp is a tile."""

import cv2
import numpy as np

from blastfold.images.otsu import otsu_threshold

LEAST_THRESHOLD = 15
"""Saturation (0-255) that paper-white glass with its noise stays below; Otsu's threshold would
split even an empty slide in two."""

PEN_INKS = ((35, 105, 60), (105, 125, 180))
"""Green to light blue ink, and strong blue: first and last OpenCV hue (degrees / 2), least
saturation. Haematoxylin, eosin and Giemsa are outside; red ink and blood have their colour and
cannot be distinguished."""

BLACK_VALUE = 70
BLACK_SATURATION = 80
"""Black ink is darker than any stained nucleus at low magnification, and grey."""


def find_tissue(
    thumbnail: np.ndarray, threshold: int | None = None, stroke: int = 1
) -> tuple[np.ndarray, np.ndarray, int]:
    """Tell tissue, pen marks and background apart at low magnification.

    Args:
        thumbnail: uint8 (h, w, 3), RGB.
        threshold: Saturation (0-255) above which a pixel is tissue; None takes Otsu's, and
            never less than ``LEAST_THRESHOLD``.
        stroke: Least width of a pen mark, pixels; colour fringes of refracting debris are
            narrower.

    Returns:
        tissue: bool (h, w), without pen marks.
        pen: bool (h, w), green, blue and black ink.
        threshold: The one that was used.
    """
    hue, saturation, value = cv2.split(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2HSV))
    pen = (value < BLACK_VALUE) & (saturation < BLACK_SATURATION)
    for first, last, least in PEN_INKS:
        pen |= (hue >= first) & (hue <= last) & (saturation >= least)
    brush = np.ones((stroke, stroke), dtype=np.uint8)
    pen = cv2.morphologyEx(pen.astype(np.uint8), cv2.MORPH_OPEN, brush).astype(bool)
    if threshold is None:
        unmarked = saturation[~pen]
        threshold = max(LEAST_THRESHOLD, otsu_threshold(unmarked) if unmarked.size else 0)
    return (saturation > threshold) & ~pen, pen, threshold


def covered_fraction(mask: np.ndarray, boxes: np.ndarray, step: float) -> np.ndarray:
    """Measure how much of each box a mask covers, parts of its pixels included.

    Args:
        mask: bool (h, w).
        boxes: (n, 4): x, y, width, height in pixels of level 0.
        step: Pixels of level 0 for one pixel of the mask.

    Returns:
        float64 (n,) in [0, 1]; places beyond the mask count as not covered.
    """
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    sums[1:, 1:] = mask.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    left, top, width, height = np.asarray(boxes, dtype=np.float64).T / step
    area = (
        _at(sums, top + height, left + width)
        - _at(sums, top, left + width)
        - _at(sums, top + height, left)
        + _at(sums, top, left)
    )
    return np.clip(area / (width * height), 0, 1)


def _at(sums: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Interpolate a table of sums; between its points it is exactly bilinear."""
    y, x = np.clip(y, 0, sums.shape[0] - 1), np.clip(x, 0, sums.shape[1] - 1)
    row = np.minimum(y.astype(np.int64), sums.shape[0] - 2)
    column = np.minimum(x.astype(np.int64), sums.shape[1] - 2)
    down, right = y - row, x - column
    return (
        sums[row, column] * (1 - down) * (1 - right)
        + sums[row + 1, column] * down * (1 - right)
        + sums[row, column + 1] * (1 - down) * right
        + sums[row + 1, column + 1] * down * right
    )


def sharpness(tile: np.ndarray) -> float:
    """Return the variance of the Laplacian of a tile's grey image (Pech-Pacheco et al., 2000).

    Args:
        tile: uint8 (h, w, 3), RGB, intensities 0-255.

    Returns:
        Variance in grey levels squared of the kernel [0 1 0; 1 -4 1; 0 1 0] at the tile's own
        resolution: it depends on mpp and stain, so that a threshold is chosen for one study.
    """
    grey = cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY)
    laplacian = cv2.Laplacian(grey, cv2.CV_16S, ksize=1)
    # Whole numbers below 2**53: nothing is lost in the difference. Twice as fast as meanStdDev.
    return cv2.norm(laplacian, cv2.NORM_L2SQR) / grey.size - cv2.mean(laplacian)[0] ** 2
