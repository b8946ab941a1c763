"""A cheap look at candidate pairs of the duplicate audit: small pictures compared under their map.

Among many images some blobs agree by chance, and a proof on pixels costs a millisecond. A sketch is
the inner detail of an image (see :mod:`blastfold.leakage.duplicate_images`) at a third of the size.
Thousands of pairs of sketches are correlated at once, and what clearly differs is not checked
further.
"""

from typing import NamedTuple

import cv2
import numpy as np

from blastfold.leakage.duplicate_images import Detail

SKETCH_SIZE = 48
# Sketches hold the detail times this, rounded. What is no foreground has a value of its own.
GAIN = 32
OUTSIDE = -128
# Every second row and column is compared.
STEP = 2
PAIRS_AT_ONCE = 4096


class Placed(NamedTuple):
    """Pairs of sketches under their maps.

    Attributes:
        correlation: float32 (pairs,), 0 where too little is compared.
        common: float32 (pairs,), share of the picture's area that is foreground of both.
    """

    correlation: np.ndarray
    common: np.ndarray


def sketch_shape(height: int, width: int) -> tuple[int, int]:
    """Return the size of the sketch of a picture."""
    scale = min(1.0, SKETCH_SIZE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def sketch(detail: Detail) -> np.ndarray:
    """Return the sketch of a picture's detail, int8 (height, width) of :func:`sketch_shape`."""
    size = sketch_shape(*detail.values.shape)[::-1]
    values = cv2.resize(detail.values, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(detail.mask, size, interpolation=cv2.INTER_AREA)
    levels = np.clip(np.rint(GAIN * values / np.maximum(share, 0.5)), -127, 127)
    return np.where(share > 0.5, levels, OUTSIDE).astype(np.int8)


def compare_sketches(
    sketches: np.ndarray, first: np.ndarray, second: np.ndarray, maps: np.ndarray
) -> Placed:
    """Correlate pairs of sketches, the first of each drawn where its map puts it.

    Args:
        sketches: int8 (n, height, width).
        first: int (pairs,), positions among the sketches.
        second: Positions of the others.
        maps: (pairs, 2, 3), from (x, y, 1) of the first to (x, y) of the second, in shares of the
            longer side; invertible.
    """
    parts = (slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(first), PAIRS_AT_ONCE))
    found = [_compare(sketches, first[part], second[part], maps[part]) for part in parts]
    found.append(Placed(np.zeros(0, np.float32), np.zeros(0, np.float32)))
    return Placed(*map(np.concatenate, zip(*found, strict=True)))


def _compare(
    sketches: np.ndarray, first: np.ndarray, second: np.ndarray, maps: np.ndarray
) -> Placed:
    _, height, width = sketches.shape
    rows, columns = (grid.ravel() for grid in np.mgrid[0:height:STEP, 0:width:STEP])
    longer = max(height, width)
    target = np.stack([columns + 0.5, rows + 0.5]).astype(np.float32) / longer
    linear = np.linalg.inv(maps[:, :, :2])
    shift = -(linear @ maps[:, :, 2:])
    source = longer * (linear.astype(np.float32) @ target + shift.astype(np.float32))
    # All that is far outside is equally so, and stays within the range of the integers.
    x, y = np.floor(source.clip(-1, longer)).astype(np.int32).transpose(1, 0, 2)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place = np.where(inside, y * width + x, 0)
    flat = sketches.reshape(len(sketches), -1)
    before = np.take_along_axis(flat[first], place, axis=1)
    after = flat[second][:, rows * width + columns]
    common = inside & (before != OUTSIDE) & (after != OUTSIDE)
    count = common.sum(axis=1)
    before = np.where(common, before, 0).astype(np.float32)
    after = np.where(common, after, 0).astype(np.float32)

    def covariance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        product = np.einsum("ij,ij->i", one, other)
        return product - one.sum(axis=1) * other.sum(axis=1) / np.maximum(count, 1)

    energy = covariance(before, before) * covariance(after, after)
    correlation = covariance(before, after) / np.sqrt(np.maximum(energy, 1.0))
    return Placed(correlation.astype(np.float32), (count / len(rows)).astype(np.float32))
