"""Photographs and crops, read once and kept shrunk.

A photograph of 5 megapixels takes 0.4 MB, a crop 5 kB. What is compared at full size is read
again. Green is the channel in which blood cells have the most contrast.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from blastfold.cells import matching
from blastfold.core.names import NO_TEXTURE, TOO_SMALL
from blastfold.core.progress import Progress
from blastfold.images.decoding import decode_image
from blastfold.images.limits import ImageError, read_bytes

GREEN = 1
LEAST_SIDE = 2 * matching.TEMPLATE
"""Pixels; smaller crops are not looked for, because they would fit many places."""

FLAT = 4
"""Grey levels; rows and columns at the edge of a crop that vary less are not compared: crops beyond
the edge of a photograph are often filled up with one colour."""

SECONDS_BETWEEN_REPORTS = 5.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Photograph:
    """A photograph, shrunk.

    Attributes:
        path: Its file.
        height: Pixels.
        width: Pixels.
        levels: uint8 green channel by the factor by which it is shrunk.
    """

    path: Path
    height: int
    width: int
    levels: dict[int, np.ndarray] = field(default_factory=dict)


@dataclass(slots=True)
class Piece:
    """What is looked for in photographs: a crop, or a part of a photograph.

    Attributes:
        height: Pixels of what is compared.
        width: Pixels of what is compared.
        factor: By how much ``template`` is shrunk.
        template: float32 (``matching.TEMPLATE`` ** 2,).
        inside: Row and column of the template in the shrunk piece.
        fine: uint8, the piece shrunk by ``matching.fine_factor``.
        trimmed: Rows and columns left out at its upper and left edge.
        home: Number of the photograph that it is a part of; -1 for crops.
        corner: Row and column in that photograph.
    """

    height: int
    width: int
    factor: int
    template: np.ndarray
    inside: tuple[int, int]
    fine: np.ndarray
    trimmed: tuple[int, int] = (0, 0)
    home: int = -1
    corner: tuple[int, int] = (0, 0)


def make_piece(green: np.ndarray) -> Piece | None:
    """Prepare a piece.

    Args:
        green: uint8 (height, width), at least ``LEAST_SIDE`` each.

    Returns:
        The piece; None where it has no texture.
    """
    factor = matching.coarse_factor(*green.shape)
    template, row, column = matching.coarse_template(matching.shrink(green, factor))
    if template is None:
        return None
    fine = matching.shrink(green, matching.fine_factor(factor))
    return Piece(*green.shape, factor, template, (row, column), fine)


def trim_edges(green: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns of a crop that are within its photograph.

    Rows and columns at the edge that hold about one grey level are left out; a third of each side
    at most at each edge.
    """
    kept = []
    for axis in (1, 0):
        flat = np.ptp(green, axis=axis) < FLAT
        most = len(flat) // 3
        first = int(np.argmin(flat[:most])) if not flat[:most].all() else most
        last = int(np.argmin(flat[::-1][:most])) if not flat[::-1][:most].all() else most
        kept.append(slice(first, len(flat) - last))
    return kept[0], kept[1]


def read_crop(path: Path) -> np.ndarray:
    """Return a crop, uint8 (height, width, 3); see :func:`images.decoding.decode_image`."""
    return decode_image(read_bytes(path))


def crop_piece(path: Path) -> Piece | str:
    """Read a crop and prepare it.

    Args:
        path: A file that holds one crop.

    Returns:
        The piece, or why it cannot be looked for: ``TOO_SMALL`` or ``NO_TEXTURE``.
    """
    green = read_crop(path)[..., GREEN]
    rows, columns = trim_edges(green)
    green = np.ascontiguousarray(green[rows, columns])
    if min(green.shape) < LEAST_SIDE:
        return TOO_SMALL
    piece = make_piece(green)
    if piece is None:
        return NO_TEXTURE
    piece.trimmed = (rows.start, columns.start)
    return piece


def crop_pieces(paths: Sequence[Path], threads: int) -> list[Piece | str]:
    """Read all crops (see :func:`crop_piece`)."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(crop_piece, paths))


def read_photographs(
    paths: Iterable[Path], factors: Iterable[int], threads: int, report: Callable[[str], None]
) -> tuple[list[Photograph], dict[Path, str]]:
    """Read photographs and keep them shrunk.

    Args:
        paths: Their files.
        factors: By how much they are shrunk.
        threads: Threads that decode; each holds one photograph.
        report: Is given a line every few seconds.

    Returns:
        The photographs that can be read, in the order of the paths; the reason of each other one.
    """
    paths, factors = list(paths), sorted(set(factors))
    progress = Progress(len(paths), report, "photographs read", SECONDS_BETWEEN_REPORTS)

    def read(path: Path) -> Photograph | str:
        try:
            green = np.ascontiguousarray(decode_image(read_bytes(path))[..., GREEN])
        except ImageError as error:
            return str(error)
        levels = {factor: matching.shrink(green, factor) for factor in factors if factor > 1}
        levels = {factor: small for factor, small in levels.items() if small.size}
        if 1 in factors:
            levels[1] = green
        return Photograph(path, *green.shape, levels)

    found, rejected = [], {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for path, outcome in zip(paths, pool.map(read, paths), strict=True):
            progress.advance(1)
            if isinstance(outcome, str):
                rejected[path] = outcome
            else:
                found.append(outcome)
    return found, rejected
