"""Shrinking by an exact ratio: every new pixel is the mean over the area that it covers."""

import functools

import cv2
import numpy as np


def shrink(image: np.ndarray, size: int, ratio: float) -> np.ndarray:
    """Bring the upper left ``size * ratio`` pixels of a square window to ``size`` pixels.

    Args:
        image: uint8 (window, window, 3), window at least ``size * ratio``.
        size: Height and width of the result, pixels.
        ratio: Pixels of the window for one pixel of the result; need not be whole.

    Returns:
        uint8 (size, size, 3), rounded.
    """
    window = image.shape[0]
    if window == size and ratio == 1:
        return image
    if ratio > 1 and abs(window - size * ratio) < 1e-4:
        return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    weights = area_weights(window, size, ratio)
    rows = weights @ image.reshape(window, -1).astype(np.float32)
    columns = weights @ np.swapaxes(rows.reshape(size, window, 3), 0, 1).reshape(window, -1)
    exact = np.swapaxes(columns.reshape(size, size, 3), 0, 1)
    return np.clip(np.rint(exact), 0, 255).astype(np.uint8)


@functools.lru_cache(maxsize=8)
def area_weights(window: int, size: int, ratio: float) -> np.ndarray:
    """Return what share each pixel of a line has in each new pixel.

    Args:
        window: Pixels of the line.
        size: New pixels.
        ratio: Pixels of the line that one new pixel covers.

    Returns:
        float32 (size, window); every row adds up to 1.
    """
    start = np.arange(size)[:, np.newaxis] * ratio
    pixel = np.arange(window)[np.newaxis]
    covered = np.minimum(start + ratio, pixel + 1) - np.maximum(start, pixel)
    covered = np.clip(covered, 0, None)
    return (covered / covered.sum(axis=1, keepdims=True)).astype(np.float32)
