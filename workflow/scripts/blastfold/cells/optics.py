"""What a photograph of a stained smear absorbs: colour of the glass, purple, and its threshold.

Light is absorbed by the law of Beer and Lambert: the optical density of a pixel is the negative
natural logarithm of its share of the light that the empty glass lets through. Nuclei absorb red and
green far more than blue. Haemoglobin and eosin absorb green and blue alike and little red, so that
``red + green - 2 blue`` is about 0 or less for red cells and large for nuclei.
"""

from typing import NamedTuple

import cv2
import numpy as np

from blastfold.images.otsu import otsu_bin

BINS, BIN = 256, 0.01
"""Number and width of the bins of a histogram of purple."""

FAINTEST = 0.15
"""Pixels with less purple are not counted when the threshold of nuclei is chosen."""

THRESHOLDS = (0.40, 0.70)
"""Smallest and largest threshold of nuclei, natural optical density."""

LEAST_PIXELS = 50
"""With fewer purple pixels the threshold is the middle of ``THRESHOLDS``."""

GREEN = 1


class Light(NamedTuple):
    """What densities of a photograph are compared with.

    Attributes:
        glass: Grey levels of red, green and blue where nothing absorbs.
        threshold: Purple of the palest pixel of a nucleus.
    """

    glass: tuple[float, float, float]
    threshold: float


def glass_colour(histograms: np.ndarray, colours: np.ndarray) -> tuple[float, float, float]:
    """Return the median colour of the bright class of green.

    Args:
        histograms: Counts of green, (256,).
        colours: uint8 (n, 3), pixels of the photograph, RGB.
    """
    bright = colours[colours[:, GREEN] > otsu_bin(histograms)]
    if not len(bright):
        bright = colours
    return tuple(float(max(value, 1)) for value in np.median(bright, axis=0))


def purple_of(picture: np.ndarray, glass: tuple[float, float, float]) -> np.ndarray:
    """Return how purple each pixel is: optical density of red + green - 2 blue.

    Args:
        picture: uint8 (height, width, 3), RGB.
        glass: See :class:`Light`.

    Returns:
        float32 (height, width).
    """
    levels = np.arange(256, dtype=np.float32)[:, None]
    densities = -np.log((levels + 1) / (np.asarray(glass, np.float32) + 1))
    table = (densities * np.array([1, 1, -2], np.float32)).astype(np.float32)
    return cv2.transform(cv2.LUT(picture, table[None]), np.ones((1, 3), np.float32))


def purple_histogram(purple: np.ndarray) -> np.ndarray:
    """Count the pixels of every bin of purple; those below ``FAINTEST`` are left out."""
    bins = np.clip(purple[purple >= FAINTEST] / BIN, 0, BINS - 1).astype(np.int64)
    return np.bincount(bins, minlength=BINS)


def nucleus_threshold(histogram: np.ndarray) -> float:
    """Return the purple from which a pixel is in a nucleus: Otsu's threshold within limits."""
    lowest, highest = THRESHOLDS
    if histogram.sum() < LEAST_PIXELS:
        return (lowest + highest) / 2
    return float(np.clip((otsu_bin(histogram) + 1) * BIN, lowest, highest))
