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

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.leakage.duplicate_images import find_detail, shrink_to_grey

WORKING_SIZE = 96
BLOBS = 32
CONTRAST = 0.01
EDGE_RATIO = 20.0
# Grey levels per unit of local contrast in the picture that is described.
GAIN = 45.0
COMPONENTS = 48
SAMPLE = 50_000
ROWS_AT_ONCE = 65_536

_local = threading.local()


class Features(NamedTuple):
    """The described blobs of many images.

    Attributes:
        owners: int32 (n,), the row of the image, ascending.
        frames: float32 (n, 4): x, y, size, angle.
        descriptors: uint8 (n, 128).
    """

    owners: np.ndarray
    frames: np.ndarray
    descriptors: np.ndarray


def describe_images(
    images: np.ndarray, rows: Sequence[int], workers: ThreadPoolExecutor
) -> Features:
    """Describe the chosen images.

    Args:
        images: uint8 (n, height, width, 3), may be memory-mapped.
        rows: The rows to describe, ascending.
        workers: Threads to use.
    """
    described = list(workers.map(lambda row: describe_image(images[row]), rows, chunksize=64))
    counts = [len(frames) for frames, _ in described]
    return Features(
        np.repeat(np.asarray(rows, np.int32), counts),
        np.concatenate([frames for frames, _ in described]),
        np.concatenate([descriptors for _, descriptors in described]),
    )


def describe_image(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Describe the strongest blobs of one uint8 (height, width, 3) image.

    Returns:
        Frames float32 (blobs, 4) and descriptors uint8 (blobs, 128).
    """
    grey = shrink_to_grey(image, WORKING_SIZE)
    values = find_detail(grey).values
    picture = np.clip(128 + GAIN * values, 0, 255).astype(np.uint8)
    points, descriptors = _detector().detectAndCompute(picture, None)
    if descriptors is None:
        return np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)
    points, descriptors = points[:BLOBS], descriptors[:BLOBS]
    longer = max(grey.shape)
    frames = [
        (
            (point.pt[0] + 0.5) / longer,
            (point.pt[1] + 0.5) / longer,
            point.size / longer,
            np.deg2rad(point.angle),
        )
        for point in points
    ]
    return np.array(frames, np.float32), descriptors


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
