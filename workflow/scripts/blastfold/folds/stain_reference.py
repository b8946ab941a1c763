"""The stain reference of every fold: the statistics that the colours of images are mapped to."""

import logging
import os
from collections.abc import Mapping

import numpy as np

from blastfold.core.arrays import write_array
from blastfold.core.errors import InputError
from blastfold.core.files import digest_names, write_json
from blastfold.core.fold_table import read_training_rows
from blastfold.core.manifest import read_manifest
from blastfold.core.progress import Progress
from blastfold.images.stain import (
    BLACK,
    GLASS,
    MINIMUM,
    Statistics,
    combine,
    fit_image,
    transfer,
)

logger = logging.getLogger(__name__)


def fit_stain(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    folds: str | os.PathLike,
    method: str,
    records: str | os.PathLike,
    mean_images: str | os.PathLike,
) -> None:
    """Fit the reference statistics of every fold and average its normalised training images.

    The statistics of an image do not depend on the fold, so that they are computed once.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set.
        folds: Table of folds.
        method: reinhard or macenko.
        records: Output, JSON list with one record per fold: repeat, fold, the reference
            statistics, and number and digest of the ids of the images that they were fitted on.
        mean_images: Output, float32 (folds, h, w, 3) as .npy: means of the normalised training
            images.

    Raises:
        InputError: A fold has no training image, or none whose stains can be determined.
    """
    table = read_manifest(manifest)
    store = np.load(images, mmap_mode="r")
    of_folds = read_training_rows(table, folds)
    statistics = fit_images(store, np.unique(np.concatenate(list(of_folds.values()))), method)
    written, means = [], []
    progress = Progress(sum(map(len, of_folds.values())), logger.info, "images normalised")
    for (repeat, fold), rows in of_folds.items():
        known = [statistics[row] for row in rows if statistics[row] is not None]
        if not known:
            raise InputError(_no_stains(images, len(rows), fold))
        reference = combine(known)
        total = np.zeros(store.shape[1:], dtype=np.float64)
        for row in rows:
            total += transfer(store[row], method, statistics[row], reference)
            progress.advance(1)
        means.append((total / len(rows)).astype(np.float32))
        record = {"repeat": repeat, "fold": fold, "images": len(rows)}
        record |= {"fitted_on": digest_names(table["image_id"].iloc[rows]), "stain": method}
        record |= {"images_with_stains": len(known)}
        written.append(
            {**record, "reference": {name: value.tolist() for name, value in reference.items()}}
        )
    write_array(np.stack(means), mean_images)
    write_json(written, records)


def fit_images(store: np.ndarray, rows: np.ndarray, method: str) -> Mapping[int, Statistics | None]:
    """Return the statistics of images by their row in the store; None without enough tissue."""
    progress = Progress(len(rows), logger.info, "images fitted")
    statistics = {}
    for row in rows:
        statistics[row] = fit_image(store[row], method)
        progress.advance(1)
    return statistics


def _no_stains(images: str | os.PathLike, count: int, fold: int) -> str:
    return (
        f"{images}: the stains of none of the {count} training images of fold {fold} can be "
        f"determined; expected at least {MINIMUM:.0%} of pixels, of several colours, between "
        f"black (all channels up to {BLACK}) and glass (all channels from {GLASS})"
    )
