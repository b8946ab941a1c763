"""The mean image of the training images of every fold (thesis 4.3), streamed and exact."""

import os

import numpy as np

from blastfold.core.arrays import write_array
from blastfold.core.files import digest_names, write_json
from blastfold.core.fold_table import read_training_rows
from blastfold.core.manifest import read_manifest


def compute_mean_images(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    folds: str | os.PathLike,
    mean_images: str | os.PathLike,
    records: str | os.PathLike,
) -> None:
    """Write the mean image of every fold's training images, and what each was fitted on.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        folds: Table of folds.
        mean_images: Output, float32 (folds, h, w, 3) as .npy.
        records: Output, JSON list with one record per fold: repeat, fold, number of images and
            digest of the ids of the images that the mean image was fitted on.

    Raises:
        InputError: A fold has no training image.
    """
    table = read_manifest(manifest)
    stored = np.load(images, mmap_mode="r")
    means, written = [], []
    for (repeat, fold), rows in read_training_rows(table, folds).items():
        means.append(mean_of_rows(stored, rows))
        fitted_on = digest_names(table["image_id"].iloc[rows])
        written.append(
            {"repeat": repeat, "fold": fold, "images": len(rows), "fitted_on": fitted_on}
        )
    write_array(np.stack(means), mean_images)
    write_json(written, records)


def mean_of_rows(images: np.ndarray, rows: np.ndarray, block: int = 64) -> np.ndarray:
    """Average some images without rounding until the end.

    Args:
        images: uint8 (n, height, width, 3), possibly memory-mapped.
        rows: Rows to average, at least one.
        block: Images read at a time.

    Returns:
        float32 (height, width, 3). Sums are integers, so that neither the order of reading nor the
        size of the blocks changes the result.
    """
    total = np.zeros(images.shape[1:], dtype=np.uint64)
    for start in range(0, len(rows), block):
        total += images[rows[start : start + block]].sum(axis=0, dtype=np.uint64)
    return (total / len(rows)).astype(np.float32)
