"""Leukocytes in slides of any size: tile after tile with overlap, every cell counted once.

A tile reports the cells whose centre is in its core. Around the core it sees so much that every
such cell is whole. Where two tiles place one cell on both sides of their border, or neither side,
the cores overlap a little and the second report is dropped.
"""

import math
from collections.abc import Callable

import numpy as np

from blastfold.cells.detector import Cell, find_cells, shrink, smooth_purple
from blastfold.cells.nuclei import RED_CELL
from blastfold.cells.optics import (
    GREEN,
    Light,
    glass_colour,
    nucleus_threshold,
    purple_histogram,
)
from blastfold.slides.grid import tile_grid
from blastfold.slides.reading import Level
from blastfold.slides.streaming import stream_boxes

CORE = 1024
"""Pixels at the scale of detection; side of a tile's core."""

MARGIN = 4 * RED_CELL
"""Pixels at the scale of detection that a tile sees around its core."""

ONE_CELL = 0.4
"""Diameters of a red cell; two tiles that report centres so close report one cell."""

SAMPLES, SAMPLE = 36, 1024
"""Number and side of the squares of a slide that scale and light are measured in, pixels."""

COLOURS = 4096
"""Pixels of each square from which the colour of the glass is measured."""


def array_level(picture: np.ndarray) -> Level:
    """Return a picture in memory as a level of a slide."""
    height, width = picture.shape[:2]
    return Level(width, height, width, height, lambda row, column: picture)


def sample_level(level: Level, threads: int = 1) -> list[np.ndarray]:
    """Read squares that lie evenly over a level.

    Args:
        level: The finest level of a slide.
        threads: Threads that decode.

    Returns:
        uint8 (height, width, 3) of each square that is not damaged.
    """
    aspect = math.sqrt(level.width / level.height)
    across = min(max(1, round(math.sqrt(SAMPLES) * aspect)), SAMPLES, -(-level.width // SAMPLE))
    down = min(max(1, SAMPLES // across), -(-level.height // SAMPLE))
    width, height = min(SAMPLE, level.width), min(SAMPLE, level.height)
    boxes = np.array(
        [
            (round(x), round(y), width, height)
            for y in np.linspace(0, level.height - height, down)
            for x in np.linspace(0, level.width - width, across)
        ],
        np.int64,
    )

    found = dict(stream_boxes(level, boxes, np.copy, threads))
    return [found[number] for number in sorted(found) if found[number] is not None]


def light_of(pictures: list[np.ndarray], diameter: float) -> Light:
    """Measure glass and threshold over several pictures together.

    Args:
        pictures: uint8 (height, width, 3), RGB.
        diameter: Of their red cells, pixels.
    """
    small = [shrink(picture, diameter) for picture in pictures]
    counts = sum(np.bincount(one[..., GREEN].ravel(), minlength=256) for one in small)
    colours = [one.reshape(-1, 3)[:: max(1, one.size // 3 // COLOURS)] for one in small]
    glass = glass_colour(counts, np.concatenate(colours))
    histogram = sum(purple_histogram(smooth_purple(one, glass)) for one in small)
    return Light(glass, nucleus_threshold(histogram))


def choose_level(levels: list[Level], diameter: float, wanted: float = RED_CELL) -> Level:
    """Return the coarsest level whose red cells are no smaller than a detector sees them.

    Args:
        levels: Of a slide, the finest first.
        diameter: Of its red cells on the finest level, pixels.
        wanted: Diameter at which the detector sees red cells, pixels.
    """
    fine = [level for level in levels if diameter / level.downsample >= max(wanted, RED_CELL)]
    return max(fine, key=lambda level: level.downsample, default=levels[0])


def search_level(
    level: Level,
    diameter: float,
    light: Light,
    threads: int = 1,
    report: Callable[[int, int], None] | None = None,
    core: int = CORE,
    find: Callable[[np.ndarray, float, Light], list[Cell]] = find_cells,
) -> tuple[list[Cell], int]:
    """Find the leukocytes of a level.

    Args:
        level: The level.
        diameter: Of its red cells, pixels of this level.
        light: Glass and threshold.
        threads: Threads that decode and look for cells; each holds one tile.
        report: Is given the number of tiles that are done, and of all.
        core: Side of a tile's core, pixels at the scale of detection.
        find: Finds the cells of a tile; see :func:`blastfold.cells.detector.find_cells`.

    Returns:
        The cells in pixels of this level, from the top to the bottom; and the number of tiles that
        are damaged and were left out.
    """
    side = max(1, round(core * diameter / RED_CELL))
    margin = math.ceil(MARGIN * diameter / RED_CELL)
    cores = tile_grid((level.width, level.height), (side, side), (side, side), "pad")
    boxes = _with_margins(cores, margin, level)
    overlap = ONE_CELL * diameter
    found: dict[int, list[Cell]] = {}
    stream = stream_boxes(level, boxes, lambda tile: find(tile, diameter, light), threads)
    for done, (number, cells) in enumerate(stream, start=1):
        if cells is not None:
            corner = boxes[number, :2].tolist()
            moved = (_moved(cell, *corner) for cell in cells)
            found[number] = [cell for cell in moved if _is_in(cell, cores[number], overlap)]
        if report:
            report(done, len(boxes))
    kept = _without_repeats([found[number] for number in sorted(found)], overlap)
    return sorted(kept, key=lambda cell: (cell.y, cell.x)), len(boxes) - len(found)


def _with_margins(cores: np.ndarray, margin: int, level: Level) -> np.ndarray:
    """Return what each tile sees: its core with a margin, within the level; int64 (n, 4)."""
    start = np.maximum(cores[:, :2] - margin, 0)
    end = np.minimum(cores[:, :2] + cores[:, 2:] + margin, (level.width, level.height))
    return np.concatenate([start, end - start], axis=1)


def _moved(cell: Cell, right: int, down: int) -> Cell:
    left, top, width, height = cell.box
    return cell._replace(
        x=cell.x + right,
        y=cell.y + down,
        box=(left + right, top + down, width, height),
        outline=cell.outline + np.array([right, down]),
    )


def _is_in(cell: Cell, core: np.ndarray, more: float) -> bool:
    left, top, width, height = core.tolist()
    across, down = cell.x - left, cell.y - top
    return -more / 2 <= across < width + more / 2 and -more / 2 <= down < height + more / 2


def _without_repeats(tiles: list[list[Cell]], apart: float) -> list[Cell]:
    """Drop cells that are as close to a cell of an earlier tile as no two cells can be."""
    kept: list[Cell] = []
    squares: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for cells in tiles:
        new = [cell for cell in cells if not _is_known(cell, squares, apart)]
        # Cells of one tile are different cells, however close.
        for cell in new:
            square = int(cell.x // apart), int(cell.y // apart)
            squares.setdefault(square, []).append((cell.x, cell.y))
        kept += new
    return kept


def _is_known(cell: Cell, squares: dict, apart: float) -> bool:
    column, row = int(cell.x // apart), int(cell.y // apart)
    return any(
        math.hypot(cell.x - x, cell.y - y) < apart
        for near_column in (column - 1, column, column + 1)
        for near_row in (row - 1, row, row + 1)
        for x, y in squares.get((near_column, near_row), ())
    )
