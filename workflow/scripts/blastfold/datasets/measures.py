"""Plain measures of every image of a data set, which trivial baselines are fitted on."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from blastfold.core.image_measures import MEASURES, NOT_FOUND
from blastfold.core.manifest import read_manifest
from blastfold.core.tables import write_table
from blastfold.images.decoding import fit_image, one_opencv_thread
from blastfold.images.foreground import Cell, find_cell, measure
from blastfold.images.limits import ImageError, read_bytes

logger = logging.getLogger(__name__)

MASK_LEVEL = 128
"""Smallest grey level of a stored mask that is cell; a shrunk mask has levels between 0 and 255."""


def measure_images(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    settings: Mapping,
    folder: str | os.PathLike | None,
    output: str | os.PathLike,
) -> None:
    """Write the measures of every image.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set; with a column ``mask`` the masks are used.
        settings: ``image_size`` and ``crop`` of the data set, and ``cells``, whether its images
            show one cell each; tiles of tissue do not.
        folder: Folder of the raw files, where masks are; None where there are none.
        output: Table to write: image_id, found_by (how the cell was found) and
            :data:`blastfold.core.image_measures.MEASURES`.
    """
    table = read_manifest(manifest)
    stored = np.load(images, mmap_mode="r")
    masks = table["mask"] if "mask" in table and folder else pd.Series("", index=table.index)
    with one_opencv_thread():
        rows = list(_measured(stored, masks, settings, folder))
    measured = pd.DataFrame(rows, columns=["found_by", *MEASURES])
    measured.insert(0, "image_id", table["image_id"])
    logger.info("cells found by: %s", measured["found_by"].value_counts().to_dict())
    write_table(measured, output)


def read_mask(path: str | os.PathLike, image_size: tuple, crop: tuple | None) -> np.ndarray | None:
    """Read a mask and bring it to the size of the stored images.

    Args:
        path: Any image file; the cell is bright, or 1 in a mask of 0 and 1.
        image_size: Height and width of the stored images.
        crop: Height and width of the central crop before that; None for none.

    Returns:
        bool (height, width); None where the file cannot be read as a mask.
    """
    try:
        data = np.frombuffer(read_bytes(path), np.uint8)
        grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if grey is None:
            return None
        grey = grey if grey.max() > 1 else 255 * grey
        fitted = fit_image(np.repeat(grey[..., np.newaxis], 3, axis=2), image_size, crop)
    except (ImageError, OSError, cv2.error):
        return None
    return fitted[..., 0] >= MASK_LEVEL


def _measured(
    stored: np.ndarray, masks: pd.Series, settings: Mapping, folder: str | os.PathLike | None
) -> Iterable[tuple]:
    crop = settings["crop"] and tuple(settings["crop"])
    for image, name in zip(stored, masks, strict=True):
        cell = Cell(None, NOT_FOUND)
        if settings["cells"]:
            size = image.shape[:2]
            mask = read_mask(Path(folder) / name, size, crop) if name else None
            cell = find_cell(np.asarray(image), mask)
        values = measure(np.asarray(image), cell)
        yield (cell.found_by, *(values[key] for key in MEASURES))
