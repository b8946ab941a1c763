"""The mean image of a fold's training images (thesis 4.3), streamed and exact."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names, write_json, written_whole


def mean_of_rows(images: np.ndarray, rows: np.ndarray, block: int = 64) -> np.ndarray:
    """Average chosen images without rounding until the end.

    Args:
        images: uint8 (n, height, width, 3), possibly memory-mapped.
        rows: Rows to average, at least one.
        block: Images read at a time.

    Returns:
        float32 (height, width, 3). Sums are integers, so that the order of reading and the size
        of the blocks change nothing.
    """
    total = np.zeros(images.shape[1:], dtype=np.uint64)
    for start in range(0, len(rows), block):
        total += images[rows[start : start + block]].sum(axis=0, dtype=np.uint64)
    return (total / len(rows)).astype(np.float32)


def compute_mean_images(
    images: str,
    manifest: str,
    folds: str,
    mean_images: Sequence[str],
    records: Sequence[str],
) -> None:
    """Write the mean image of every fold's training images and what it was fitted on.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        folds: Table of folds: image_id, fold, role.
        mean_images: Outputs of folds 0, 1 ..., float32 (h, w, 3) as .npy.
        records: Outputs of the same folds, JSON with the number and the digest of the image ids
            that the mean image was fitted on.

    Raises:
        InputError: When a fold has no training image.
    """
    image_ids = pd.read_csv(manifest, sep="\t", dtype=str, keep_default_na=False)["image_id"]
    table = pd.read_csv(folds, sep="\t", dtype={"image_id": str}, keep_default_na=False)
    stored = np.load(images, mmap_mode="r")
    for fold, (path, record) in enumerate(zip(mean_images, records, strict=True)):
        training = table.loc[(table["fold"] == fold) & (table["role"] == "train"), "image_id"]
        rows = np.flatnonzero(image_ids.isin(training))
        if len(rows) == 0:
            raise InputError(
                f"{folds}: fold {fold} has no row with role 'train', expected at least 1"
            )
        mean = mean_of_rows(stored, rows)
        with written_whole(path) as partial, partial.open("wb") as file:
            np.save(file, mean)
        fitted_on = digest_names(image_ids[rows])
        write_json({"fold": fold, "images": len(rows), "fitted_on": fitted_on}, record)
