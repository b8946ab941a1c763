"""What the duplicate audit sees of an image: orientations, background and inner detail.

Two different cells cut out on black agree on most of their pixels, and on a round outline. They
differ in the fine structure inside, so the audit compares nothing else: the background
is masked out, its rim too, and the rest is normalised to zero mean and unit contrast within its
neighbourhood (local contrast normalisation), which also removes brightness and contrast changes.

An orientation is a number 0-7 into :data:`ORIENTATIONS`; coordinates and shifts are (y, x).
"""

from typing import NamedTuple

import cv2
import numpy as np

# Transpose, then reverse the rows, then reverse the columns. Turns are counter-clockwise.
ORIENTATIONS: dict[str, tuple[bool, bool, bool]] = {
    "identity": (False, False, False),
    "flip_left_right": (False, False, True),
    "flip_up_down": (False, True, False),
    "turn_180": (False, True, True),
    "transpose": (True, False, False),
    "turn_270": (True, False, True),
    "turn_90": (True, True, False),
    "anti_transpose": (True, True, True),
}
ORIENTATION_NAMES = tuple(ORIENTATIONS)
STEPS = tuple(ORIENTATIONS.values())

# The filters below are in pixels of an image of this size and shrink with it.
REFERENCE_SIZE = 128
# A flat background is one value (give or take JPEG) over this share of the image.
BACKGROUND_SHARE = 0.3


class Detail(NamedTuple):
    """Local contrast of the foreground, 0 elsewhere, and its 0/1 mask; float32 (height, width)."""

    values: np.ndarray
    mask: np.ndarray


def orient(image: np.ndarray, orientation: int) -> np.ndarray:
    """Return a (height, width, ...) image in one of the eight orientations, as a view."""
    transpose, reverse_rows, reverse_columns = STEPS[orientation]
    if transpose:
        image = np.swapaxes(image, 0, 1)
    if reverse_rows:
        image = image[::-1]
    return image[:, ::-1] if reverse_columns else image


def orientations_of(height: int, width: int) -> range:
    """Return the orientations that keep an image's shape: 8 for a square, else 4."""
    return range(8) if height == width else range(4)


def shrink_to_grey(image: np.ndarray, longer_side: int) -> np.ndarray:
    """Return the mean of the colour channels, shrunk to a longer side.

    Args:
        image: uint8 (height, width, 3).
        longer_side: Pixels; a smaller image keeps its size.

    Returns:
        float32 (height, width), 0-255.
    """
    if max(image.shape[:2]) > longer_side:
        scale = longer_side / max(image.shape[:2])
        size = tuple(max(1, round(side * scale)) for side in image.shape[1::-1])
        image = cv2.resize(np.ascontiguousarray(image), size, interpolation=cv2.INTER_AREA)
    # NumPy's mean over three channels takes ten times as long.
    return cv2.transform(image.astype(np.float32), np.ones((1, 3), np.float32)) / np.float32(3)


def find_foreground(grey: np.ndarray) -> np.ndarray:
    """Mask what is not flat background connected to the border.

    Args:
        grey: float32 (height, width), 0-255.

    Returns:
        float32 (height, width), 1 on the foreground. An image without a flat background is
        foreground everywhere; one of a single value has none.
    """
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=256)
    spike = np.convolve(counts, np.ones(3), "same")
    level = int(spike.argmax())
    if spike[level] < BACKGROUND_SHARE * grey.size:
        return np.ones_like(grey)
    distance = np.abs(grey - level)
    distinct = distance[distance > 5]
    # Relative to the cells' own contrast: JPEG ringing and dark rims must not move the outline.
    tolerance = max(5.0, 0.3 * _upper_quartile(distinct)) if distinct.size else 255.0
    flat = (distance <= tolerance).astype(np.uint8)
    _, regions = cv2.connectedComponents(flat, connectivity=4)
    border = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    touching = np.zeros(regions.max() + 1, bool)
    touching[border] = True
    touching[0] = False
    return (~touching[regions]).astype(np.float32)


def _upper_quartile(values: np.ndarray) -> float:
    """Return the value below which three quarters are, without the cost of NumPy's percentile."""
    rank = (3 * (values.size - 1)) // 4
    return float(np.partition(values, rank)[rank])


def find_detail(grey: np.ndarray) -> Detail:
    """Return the fine structure of the foreground, each neighbourhood at unit contrast.

    Args:
        grey: float32 (height, width) of :func:`shrink_to_grey`.

    Returns:
        Values and mask, both (height, width). The mask is the foreground without its rim.
    """
    unit = max(grey.shape) / REFERENCE_SIZE
    foreground = find_foreground(grey)
    rim = max(1, round(3 * unit))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
    mask = cv2.erode(foreground, disc, borderType=cv2.BORDER_CONSTANT, borderValue=1)

    def smooth(image: np.ndarray, weight: np.ndarray, width: float) -> np.ndarray:
        # Normalised convolution: what is masked out takes no part in the average.
        total = cv2.GaussianBlur(weight, (0, 0), width * unit)
        return cv2.GaussianBlur(image * weight, (0, 0), width * unit) / np.maximum(total, 1e-3)

    fine = smooth(grey, foreground, 0.8) if unit > 0.7 else grey
    values = (fine - smooth(grey, foreground, 5)) * mask
    nearby = np.sqrt(smooth(np.square(values), mask, 8))
    overall = np.sqrt(np.square(values).sum() / max(mask.sum(), 1))
    # The floor keeps flat regions from being blown up to pure noise.
    return Detail((values / (nearby + 0.2 * overall + 0.05)).astype(np.float32), mask)
