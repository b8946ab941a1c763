"""The cell of every image of a data set, and plain measures for trivial baselines."""

import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from blastfold.core.cell_masks import MaskWriter
from blastfold.core.errors import InputError
from blastfold.core.image_measures import MEASURES, NOT_FOUND
from blastfold.core.manifest import read_manifest
from blastfold.core.tables import write_table
from blastfold.images.decoding import fit_image, one_opencv_thread
from blastfold.images.foreground import Cell, find_cell, measure
from blastfold.images.limits import ImageError, read_bytes

logger = logging.getLogger(__name__)

MASK_LEVEL = 128
"""Smallest grey level of a mask of many levels that is cell."""

MOST_LABELS = 8
"""A mask of so many levels, the lowest of which is 0, holds labels such as 1 for a cytoplasm and 2
for a nucleus: the parts of a cell count as a whole."""


def measure_images(
    images: str | os.PathLike,
    manifest: str | os.PathLike,
    settings: Mapping,
    folder: str | os.PathLike | None,
    output: str | os.PathLike,
    cells: str | os.PathLike,
) -> None:
    """Write the measures of every image, and the mask of its cell.

    Args:
        images: Image store, uint8 (n, h, w, 3).
        manifest: Manifest of the data set; with a column ``mask`` the masks are used.
        settings: ``image_size`` and ``crop`` of the data set; ``cells``, whether its images
            show one cell each, which tiles of tissue do not; and ``by_masks``, whether the measures
            are those of its masks. Measures of generated smears are not: a baseline must not know
            more than a photograph shows.
        folder: Folder of the raw files, where masks are; None where there are none.
        output: Table to write: image_id, found_by (how the cell was found) and
            :data:`blastfold.core.image_measures.MEASURES`.
        cells: Masks to write, see :mod:`blastfold.core.cell_masks`.

    Raises:
        InputError: A mask has another size than its image.
    """
    table = read_manifest(manifest)
    stored = np.load(images, mmap_mode="r")
    writer = MaskWriter(stored.shape[1:3])
    with one_opencv_thread():
        masks = _masks_of(table, stored.shape[1:3], settings, folder)
        rows = list(_measured(stored, masks, settings, writer))
    measured = pd.DataFrame(rows, columns=["found_by", *MEASURES])
    if folder and settings["cells"] and settings["by_masks"]:
        _warn_of_empty(table, measured["found_by"])
    measured.insert(0, "image_id", table["image_id"])
    logger.info("cells found by: %s", measured["found_by"].value_counts().to_dict())
    write_table(measured, output)
    writer.write(cells)


def _warn_of_empty(table: pd.DataFrame, found_by: pd.Series) -> None:
    """Say in the log which masks show no cell."""
    if "mask" not in table:
        return
    empty = table.loc[(table["mask"] != "") & (found_by == NOT_FOUND).to_numpy(), "mask"]
    if len(empty):
        logger.warning("%d masks show no cell, for instance '%s'", len(empty), empty.iloc[0])


def read_mask(
    path: str | os.PathLike,
    image_size: tuple,
    crop: tuple | None,
    picture_size: tuple | None = None,
) -> np.ndarray | None:
    """Read a mask and bring it to the size of the stored images.

    Args:
        path: Any image file. In a mask of up to :data:`MOST_LABELS` levels the cell is all that is
            not 0, in others what is at least half as bright as white. Of colours the brightest
            channel counts, and of a picture of one colour its transparency.
        image_size: Height and width of the stored images.
        crop: Height and width of the central crop before that; None for none.
        picture_size: Height and width of the image's file; None where they are not known.

    Returns:
        bool (height, width).

    Raises:
        InputError: The file cannot be read, or has another size than the image's file.
    """
    try:
        data = np.frombuffer(read_bytes(path), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except (ImageError, OSError, cv2.error):
        pixels = None
    if pixels is None:
        raise InputError(
            f"'{path}': the mask cannot be read as an image. Replace it, or leave the cell of the "
            "column mask empty."
        )
    grey = _one_channel(pixels)
    if picture_size and grey.shape != picture_size:
        height, width = picture_size
        raise InputError(
            f"'{path}': the mask has {grey.shape[1]}x{grey.shape[0]} pixels, expected "
            f"{width}x{height} as its image. Save masks in the size of their images, or leave the "
            "cell of the column mask empty."
        )
    # Before it is shrunk: the edge of a part would fall below the limit.
    grey = 255 * _is_cell(grey).astype(np.uint8)
    try:
        fitted = fit_image(np.repeat(grey[..., np.newaxis], 3, axis=2), image_size, crop)
    except ImageError as error:
        raise InputError(f"'{path}': the mask cannot be used: {error}") from None
    return fitted[..., 0] >= MASK_LEVEL


def _one_channel(pixels: np.ndarray) -> np.ndarray:
    """Return the brightest channel of a mask; the transparency of a picture of one colour."""
    if pixels.ndim == 2:
        return pixels
    colours, alpha = pixels[..., :3], pixels[..., 3:]
    if alpha.size and alpha.min() < alpha.max() and (colours == colours[:1, :1]).all():
        return alpha[..., 0]
    return colours.max(axis=2)


def _is_cell(grey: np.ndarray) -> np.ndarray:
    """Return which pixels of a mask of one channel are cell, bool."""
    levels = np.unique(grey)
    if len(levels) <= MOST_LABELS and levels[0] == 0:
        return grey > 0
    white = np.iinfo(grey.dtype).max if np.issubdtype(grey.dtype, np.integer) else 1
    return grey >= MASK_LEVEL / 255 * white


def _masks_of(
    table: pd.DataFrame, image_size: tuple, settings: Mapping, folder: str | os.PathLike | None
) -> Iterable[np.ndarray | None]:
    """Yield the mask of every image; None where it has none."""
    crop = settings["crop"] and tuple(settings["crop"])
    sized = "width" in table and "height" in table
    for row in table.to_dict("records"):
        name = row.get("mask") if folder and settings["cells"] else None
        size = (int(row["height"]), int(row["width"])) if sized and name else None
        yield read_mask(Path(folder) / name, image_size, crop, size) if name else None


def _measured(
    stored: np.ndarray, masks: Iterable[np.ndarray | None], settings: Mapping, writer: MaskWriter
) -> Iterable[tuple]:
    for image, mask in zip(stored, masks, strict=True):
        image, cell = np.asarray(image), Cell(None, NOT_FOUND)
        if settings["cells"]:
            cell = find_cell(image, mask)
        writer.append(*cell)
        if mask is not None and not settings["by_masks"]:
            cell = find_cell(image)
        values = measure(image, cell)
        yield (cell.found_by, *(values[key] for key in MEASURES))
