"""Crops of detected cells as the networks of an export saw cells in their training.

A network learnt cells at one size. The side of a crop is therefore a length in the smear, the same
for all cells of an application, so that a large cell stays larger than a small one:

1. what is given (``crop_micrometres``);
2. else what the training images showed, where the export knows it (generated smears, detected
   cells);
3. else so much that the median detected cell fills the same share of its crop as the median cell
   of the training images. This is an estimate: it assumes that cells of both are equally large.
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.cells.sources import opened
from blastfold.core.errors import BlastfoldError
from blastfold.core.files import digest_file
from blastfold.core.progress import Progress
from blastfold.core.smear_scale import CROP, MICROMETRES
from blastfold.images.decoding import StoreWriter, cut_box, fit_image, one_opencv_thread
from blastfold.images.limits import ImageError
from blastfold.slides.reading import Slide
from blastfold.slides.streaming import stream_boxes

GIVEN, OF_TRAINING, BY_CELLS, BY_DEFAULT = "given", "training", "cells", "default"
"""Where the side of the crops comes from."""

SECONDS_BETWEEN_REPORTS = 5.0

logger = logging.getLogger(__name__)


class CropSize(NamedTuple):
    """What a crop shows.

    Attributes:
        height: Micrometres.
        width: Micrometres.
        found_by: One of the codes above.
    """

    height: float
    width: float
    found_by: str


class CutCell(NamedTuple):
    """A cell that was cut out of its photograph.

    Attributes:
        row: Its row in the table of cells.
        box: Left, top, width and height of the crop, pixels.
        digest: SHA-256 of its pixels, as the import of detected cells computes it.
        image: uint8 (h, w, 3), of the size of the networks; None where it cannot be cut.
    """

    row: int
    box: tuple[int, int, int, int]
    digest: str
    image: np.ndarray | None


def crop_size(image: Mapping, given: float | None, areas: np.ndarray) -> CropSize:
    """Choose what the crops show, see the module.

    Args:
        image: What ``model.json`` says of the training images.
        given: Micrometres; None where nothing is given.
        areas: float (n,), areas of the detected leukocytes, square micrometres.
    """
    height, width = image["size"]
    if given:
        return CropSize(
            given * height / max(height, width), given * width / max(height, width), GIVEN
        )
    if image.get("micrometres"):
        return CropSize(*map(float, image["micrometres"]), OF_TRAINING)
    share = image.get("cell_diameter")
    if share and len(areas):
        mean = float(2 * np.sqrt(np.median(areas) / np.pi)) / share
        return CropSize(mean * (height / width) ** 0.5, mean * (width / height) ** 0.5, BY_CELLS)
    return CropSize(CROP * MICROMETRES, CROP * MICROMETRES, BY_DEFAULT)


def cut_cells(
    folder: Path,
    cells: pd.DataFrame,
    scales: Mapping[str, float],
    size: CropSize,
    image_size: tuple[int, int],
    store: str | os.PathLike,
    threads: int = 1,
) -> tuple[list[CutCell], dict[str, str]]:
    """Cut cells out of their photographs into one array.

    Args:
        folder: The folder of photographs.
        cells: Columns photograph, x and y (pixels); photographs together, in their order.
        scales: Micrometres per pixel, by photograph.
        size: What a crop shows.
        image_size: Height and width of the images of the networks.
        store: Written: uint8 (n, h, w, 3), NumPy format; cells that cannot be cut are left out.
        threads: Threads; each holds one photograph.

    Returns:
        The cells in the order of the table, and why photographs could not be read.
    """
    groups = list(cells.groupby("photograph", sort=False))
    progress = Progress(len(cells), logger.info, "cells cut out", SECONDS_BETWEEN_REPORTS)
    problems: dict[str, str] = {}
    cut: list[CutCell] = []

    def read(group: tuple[str, pd.DataFrame]) -> list[CutCell] | str:
        name, rows = group
        boxes = crop_boxes(rows[["x", "y"]].to_numpy(float), scales[name], size)
        try:
            return _cut_photograph(folder / name, rows.index.to_numpy(), boxes, image_size, threads)
        except BlastfoldError as error:
            return str(error)

    shape = (len(cells), *image_size, 3)
    with (
        one_opencv_thread(),
        StoreWriter(store, shape) as writer,
        ThreadPoolExecutor(max(1, threads)) as pool,
    ):
        for (name, rows), found in zip(groups, _in_turn(pool, read, groups, threads), strict=True):
            progress.advance(len(rows))
            if isinstance(found, str):
                problems[name] = found
                continue
            for cell in found:
                if cell.image is not None:
                    writer.append(cell.image)
                    cell = cell._replace(image=cell.image[:0])
                cut.append(cell)
        writer.finish()
    return cut, problems


def crop_boxes(points: np.ndarray, scale: float, size: CropSize) -> np.ndarray:
    """Return the boxes around points, int64 (n, 4): left, top, width and height, pixels.

    Args:
        points: float (n, 2), x and y.
        scale: Micrometres per pixel.
        size: What a crop shows.
    """
    sides = np.maximum(np.round(np.array([size.width, size.height]) / scale), 1).astype(np.int64)
    corners = np.round(points - sides / 2).astype(np.int64)
    return np.column_stack([corners, np.broadcast_to(sides, corners.shape)])


def _in_turn(pool: ThreadPoolExecutor, read: Callable, items: list, threads: int) -> Iterator:
    """Yield read(item) in order, with few results in memory."""
    step = 2 * max(1, threads)
    for start in range(0, len(items), step):
        yield from pool.map(read, items[start : start + step])


def _cut_photograph(
    path: Path, rows: np.ndarray, boxes: np.ndarray, image_size: tuple[int, int], threads: int
) -> list[CutCell]:
    with opened(path) as source:
        if isinstance(source, Slide):
            return _cut_slide(source, rows, boxes, image_size, threads)
        return [
            _cut(row, box, lambda box=box: cut_box(source, *box), source.shape[:2], image_size)
            for row, box in zip(rows.tolist(), map(tuple, boxes.tolist()), strict=True)
        ]


def _cut_slide(
    slide: Slide, rows: np.ndarray, boxes: np.ndarray, image_size: tuple[int, int], threads: int
) -> list[CutCell]:
    """Cut cells out of level 0 of a slide, whose segments are decoded once each."""
    shape = slide.height, slide.width
    inside = np.array([_inside(box, shape) for box in boxes.tolist()], np.int64).reshape(-1, 4)
    room = (inside[:, 2:] <= [slide.width, slide.height]).all(axis=1)
    found = dict.fromkeys(range(len(boxes)))
    usable = np.flatnonzero(room)
    for number, part in stream_boxes(slide.levels[0], inside[usable], np.copy, threads):
        found[int(usable[number])] = part

    def part_of(number: int) -> np.ndarray:
        if found[number] is None:
            raise ImageError("larger than the slide, or damaged there")
        return found[number]

    return [
        _cut(row, tuple(box), lambda number=number: part_of(number), shape, image_size)
        for number, (row, box) in enumerate(zip(rows.tolist(), boxes.tolist(), strict=True))
    ]


def _inside(box: tuple[int, int, int, int], shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return a box moved into a picture (height, width), as :func:`cut_box` moves it."""
    left, top, width, height = box
    left, top = min(max(left, 0), shape[1] - width), min(max(top, 0), shape[0] - height)
    return left, top, width, height


def _cut(
    row: int,
    box: tuple[int, int, int, int],
    take: Callable[[], np.ndarray],
    shape: tuple[int, int],
    image_size: tuple[int, int],
) -> CutCell:
    inside = _inside(box, shape)
    try:
        part = np.ascontiguousarray(take())
    except ImageError:
        return CutCell(row, inside, "", None)
    digest = hashlib.sha256(part).hexdigest()
    return CutCell(row, inside, digest, fit_image(part, image_size))


def photograph_digests(folder: Path, names: list[str], threads: int = 1) -> dict[str, str]:
    """Return the SHA-256 of photographs by name; empty for those that cannot be read."""

    def digest(name: str) -> str:
        try:
            return digest_file(folder / name)
        except OSError:
            return ""

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return dict(zip(names, pool.map(digest, names), strict=True))
