"""The threshold that separates two classes of values best.

Otsu 1979, A threshold selection method from gray-level histograms.
"""

import cv2
import numpy as np


def otsu_threshold(values: np.ndarray) -> int:
    """Return the largest value of the lower class.

    Args:
        values: uint8, any shape.

    Returns:
        A grey level; 0 when all values are equal.
    """
    return int(cv2.threshold(values.reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)[0])


def otsu_bin(histogram: np.ndarray) -> int:
    """Return the last bin of the lower class, for values of which only the counts are kept.

    Args:
        histogram: Counts, (bins,).

    Returns:
        A bin; 0 for an empty histogram.
    """
    counts = np.asarray(histogram, np.float64)
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * np.arange(len(counts)))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.argmax(np.nan_to_num(between)))
