"""Changes that turn a generated crop and its mask into those of a near copy."""

import cv2
import numpy as np
from numpy.random import Generator

DUPLICATE_KINDS = ("exact", "flipped", "rotated", "brightness", "jpeg", "shifted")


def change_crop(rng: Generator | None, crop: np.ndarray, kind: str) -> np.ndarray:
    """Return the crop (uint8) changed as a duplicate of this kind is."""
    if kind == "flipped":
        return crop[:, ::-1]
    if kind == "rotated":  # a quarter turn; a half turn where the sides differ
        return np.rot90(crop, 1 if crop.shape[0] == crop.shape[1] else 2)
    if kind == "brightness":
        contrast, change = rng.uniform(0.85, 0.95), rng.uniform(4, 12)
        return np.rint(contrast * crop + change).astype(np.uint8)
    if kind == "jpeg":
        encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        return cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return crop


def change_mask(mask: np.ndarray, kind: str, shift: tuple[int, int]) -> np.ndarray:
    """Return the mask of a cell (uint8) changed as a duplicate of this kind is.

    Args:
        mask: The mask in the crop of the cell.
        kind: One of `DUPLICATE_KINDS`.
        shift: Pixels (x, y) by which the crop of a shifted duplicate is moved. What this crop adds
            at its edge counts as outside of the cell.
    """
    if kind in ("flipped", "rotated"):
        return change_crop(None, mask, kind)
    if kind == "shifted":
        moved = np.float32([[1, 0, -shift[0]], [0, 1, -shift[1]]])
        return cv2.warpAffine(mask, moved, mask.shape[::-1], flags=cv2.INTER_NEAREST)
    return mask
