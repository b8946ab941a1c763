"""Masks of the cells of a data set as a file next to its image store.

``cells.npz`` holds ``masks`` (one bit per pixel, row after row), ``size`` (height and width) and
``found_by`` (position in :data:`WAYS` of how each cell was found).
"""

import os
from typing import NamedTuple

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.core.image_measures import BY_GROUND, BY_MASK, BY_STAIN, NOT_FOUND

WAYS = (NOT_FOUND, BY_MASK, BY_GROUND, BY_STAIN)
"""How a cell was found, in the order of the stored numbers."""


class CellMasks(NamedTuple):
    """The cells of n images.

    Attributes:
        masks: bool (n, height, width), True on the cell; False everywhere where none was found.
        found_by: How each cell was found, n values of :data:`WAYS`.
    """

    masks: np.ndarray
    found_by: np.ndarray


class MaskWriter:
    """Collects masks one by one and writes them together.

    Args:
        size: Height and width of the images.
    """

    def __init__(self, size: tuple[int, int]):
        self._size = size
        self._rows: list[np.ndarray] = []
        self._ways: list[int] = []

    def append(self, mask: np.ndarray | None, found_by: str) -> None:
        """Add the mask of the next image, bool (height, width); None where no cell was found."""
        mask = np.zeros(self._size, dtype=bool) if mask is None else mask
        self._rows.append(np.packbits(mask))
        self._ways.append(WAYS.index(found_by))

    def write(self, path: str | os.PathLike) -> None:
        """Write ``cells.npz``, whole or not at all."""
        height, width = self._size
        rows = np.array(self._rows, dtype=np.uint8).reshape(-1, -(-height * width // 8))
        ways = np.array(self._ways, dtype=np.uint8)
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, masks=rows, size=np.array(self._size), found_by=ways)


def read_cell_masks(path: str | os.PathLike, rows: np.ndarray) -> CellMasks:
    """Read the masks of some images.

    Args:
        path: ``cells.npz`` of a data set.
        rows: int (n,) their rows in the image store.

    Raises:
        InputError: The file has no such rows.
    """
    with np.load(path) as stored:
        packed, found_by = stored["masks"], stored["found_by"]
        height, width = stored["size"].tolist()
    if len(rows) and np.max(rows) >= len(packed):
        raise InputError(
            f"{path}: holds masks of {len(packed)} images, expected one for each image of the "
            "data set. A file of another import must be made again"
        )
    bits = np.unpackbits(packed[rows], axis=1, count=height * width)
    masks = bits.reshape(-1, height, width).astype(bool)
    return CellMasks(masks, np.array(WAYS, dtype=object)[found_by[rows]])
