"""Invariant description of an image's fine structure, for the candidates of the duplicate audit.

Blobs of any size are found and described in their own frame (SIFT: Lowe 2004,
doi:10.1023/B:VISI.0000029664.99615.94): position, size and dominant direction. The descriptor stays
the same when the image is shifted, turned by any angle or scaled. What a mirror image changes in
it is a permutation of its numbers, so that flips cost a second query and no second description.
Square roots of the numbers are compared (Arandjelovic and Zisserman 2012,
doi:10.1109/CVPR.2012.6248018), centred and reduced to their principal components.

Positions and sizes are shares of the longer side of an image, measured from its upper left corner;
x grows to the right, y downwards and angles from x to y, in radians.
"""

import itertools
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.leakage.duplicate_images import find_detail, shrink_to_grey
from blastfold.leakage.duplicate_sketches import sketch

WORKING_SIZE = 96
LARGEST_ENLARGEMENT = 1.25
BLOBS = 32
CONTRAST = 0.01
EDGE_RATIO = 20.0
# Grey levels per unit of local contrast in the picture that is described.
GAIN = 45.0
COMPONENTS = 48
# Blobs are looked for within the foreground and this share of the longer side around it: more than
# the border in which the detector finds nothing.
MARGIN = 0.1
SAMPLE = 50_000
IMAGES_AT_ONCE = 128
ROWS_AT_ONCE = 65_536

_local = threading.local()


class Features(NamedTuple):
    """The described blobs of many images.

    Attributes:
        owners: int32 (n,), the position of the image among those described, ascending.
        frames: float32 (n, 4): x, y, size, angle.
        descriptors: uint8 (n, 128).
    """

    owners: np.ndarray
    frames: np.ndarray
    descriptors: np.ndarray


class Description(NamedTuple):
    """One image: frames float32 (blobs, 4), descriptors uint8 (blobs, 128) and its sketch."""

    frames: np.ndarray
    descriptors: np.ndarray
    sketch: np.ndarray


def describe_images(
    images: np.ndarray, rows: Sequence[int], workers: ThreadPoolExecutor
) -> tuple[Features, np.ndarray]:
    """Describe the chosen images, at least one.

    Args:
        images: uint8 (n, height, width, 3), may be memory-mapped.
        rows: The rows to describe.
        workers: Threads to use.

    Returns:
        The blobs of all images, and the sketches, int8 (rows, height, width).
    """

    def describe(start: int) -> list[Description]:
        return [describe_image(images[row]) for row in rows[start : start + IMAGES_AT_ONCE]]

    parts = workers.map(describe, range(0, len(rows), IMAGES_AT_ONCE))
    described = list(itertools.chain.from_iterable(parts))
    counts = [len(image.frames) for image in described]
    features = Features(
        np.repeat(np.arange(len(described), dtype=np.int32), counts),
        np.concatenate([image.frames for image in described]),
        np.concatenate([image.descriptors for image in described]),
    )
    return features, np.stack([image.sketch for image in described])


def describe_image(image: np.ndarray) -> Description:
    """Describe the strongest blobs of one uint8 (height, width, 3) image."""
    grey = _at_working_size(image)
    detail = find_detail(grey)
    small = sketch(detail)
    top, bottom, left, right = _window(detail.mask)
    values = detail.values[top:bottom, left:right]
    picture = np.clip(128 + GAIN * values, 0, 255).astype(np.uint8)
    points, descriptors = _detector().detectAndCompute(picture, None)
    if descriptors is None:
        return Description(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8), small)
    points, descriptors = points[:BLOBS], descriptors[:BLOBS]
    longer = max(grey.shape)
    frames = [
        (
            (left + point.pt[0] + 0.5) / longer,
            (top + point.pt[1] + 0.5) / longer,
            point.size / longer,
            np.deg2rad(point.angle),
        )
        for point in points
    ]
    return Description(np.array(frames, np.float32), descriptors, small)


def enlargement(height: int, width: int) -> float:
    """Return by how much an image is enlarged, 1 or more: small ones show too few blobs."""
    return max(1.0, min(LARGEST_ENLARGEMENT, WORKING_SIZE / max(height, width)))


def _at_working_size(image: np.ndarray) -> np.ndarray:
    """Return the grey values, shrunk or enlarged towards the working size."""
    grey = shrink_to_grey(image, WORKING_SIZE)
    factor = enlargement(*grey.shape)
    if factor == 1:
        return grey
    size = tuple(round(side * factor) for side in grey.shape[::-1])
    return cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)


def _window(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of the foreground with its margin."""
    edges: list[int] = []
    margin = round(MARGIN * max(mask.shape))
    for axis in (1, 0):
        filled = np.flatnonzero(mask.max(axis=axis))
        low, high = (filled[0], filled[-1] + 1) if len(filled) else (0, mask.shape[1 - axis])
        edges += [max(0, int(low) - margin), min(mask.shape[1 - axis], int(high) + margin)]
    return edges[0], edges[1], edges[2], edges[3]


def _detector() -> cv2.SIFT:
    """Return this thread's detector; one object must not work in two threads at once."""
    if not hasattr(_local, "detector"):
        _local.detector = cv2.SIFT_create(
            BLOBS, 3, CONTRAST, EDGE_RATIO, 1.6, cv2.CV_8U, enable_precise_upscale=True
        )
    return _local.detector


def mirror(descriptors: np.ndarray) -> np.ndarray:
    """Return the descriptors (n, 128) of the mirror image.

    A descriptor is a grid of 4 rows and 4 columns along the dominant direction, with 8 directions
    in each place. A mirror at that direction reverses the rows and the sense of the directions.
    """
    grid = descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    return grid[..., -np.arange(8) % 8].reshape(-1, 128)


class Projection(NamedTuple):
    """Centre (128,) and principal components (128, COMPONENTS) of descriptors' square roots."""

    centre: np.ndarray
    components: np.ndarray


def fit_projection(descriptors: np.ndarray) -> Projection:
    """Fit centre and components to descriptors and to their mirror images alike."""
    sample = descriptors[:: max(1, len(descriptors) // SAMPLE)]
    roots = _roots(np.concatenate([sample, mirror(sample)]))
    centre = roots.mean(axis=0)
    roots -= centre
    _, vectors = np.linalg.eigh((roots.T @ roots).astype(np.float64))
    return Projection(centre, vectors[:, ::-1][:, :COMPONENTS].astype(np.float32))


def project(descriptors: np.ndarray, projection: Projection) -> np.ndarray:
    """Return float32 (n, COMPONENTS) of unit length."""
    projected = np.empty((len(descriptors), projection.components.shape[1]), np.float32)
    for start in range(0, len(descriptors), ROWS_AT_ONCE):
        roots = _roots(descriptors[start : start + ROWS_AT_ONCE]) - projection.centre
        part = roots @ projection.components
        length = np.linalg.norm(part, axis=1, keepdims=True)
        projected[start : start + ROWS_AT_ONCE] = part / np.maximum(length, 1e-6)
    return projected


def _roots(descriptors: np.ndarray) -> np.ndarray:
    values = descriptors.astype(np.float32)
    return np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1))
