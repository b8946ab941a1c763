"""Leukocytes in files of photographs and slides: scale, cells, and what cannot be used."""

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blastfold.cells.detector import Cell, find_cells
from blastfold.cells.nuclei import RED_CELL
from blastfold.cells.red_cells import (
    red_cell_diameter,
    round_red_cells,
    widest_places,
)
from blastfold.cells.sources import is_photograph, opened, stored_size
from blastfold.cells.tiled_search import (
    array_level,
    choose_level,
    light_of,
    sample_level,
    search_level,
)
from blastfold.core.errors import BlastfoldError, InputError
from blastfold.core.names import GIVEN_SCALE
from blastfold.core.progress import Progress
from blastfold.core.smear_scale import MICROMETRES
from blastfold.images.decoding import one_opencv_thread
from blastfold.slides.reading import Level, Slide

MOST_MEASURED = 32
"""Photographs of one size whose red cells are measured."""

LARGEST_AT_ONCE = 2**22
"""Pixels at the scale of detection; larger photographs are searched tile by tile."""

SECONDS_BETWEEN_REPORTS = 5.0

UNKNOWN_SCALE = (
    "no red cell was found, so that the scale is unknown; set red_cell_diameter (pixels) or "
    "micrometres_per_pixel"
)
WHOLE_ALONE = (
    "the detector sees whole photographs; slides and photographs of this size need "
    "detector.onnx.red_cell_diameter, at which it sees parts of them"
)

logger = logging.getLogger(__name__)


class Scale(NamedTuple):
    """The scale of a photograph.

    Attributes:
        diameter: Of red cells, pixels; None where it is unknown.
        found_by: One of :data:`blastfold.core.names.SCALES`.
        red_cells: Number of red cells that it was found from.
    """

    diameter: float | None
    found_by: str
    red_cells: int

    @property
    def micrometres(self) -> float:
        """Micrometres per pixel."""
        return MICROMETRES / self.diameter


class Searched(NamedTuple):
    """What was found in a photograph or slide.

    Attributes:
        path: The file.
        width: Pixels; 0 where it cannot be read.
        height: Pixels.
        scale: Its scale; None where it cannot be read.
        cells: Leukocytes, and what was set aside, in pixels of level 0.
        problem: Why it could not be searched; empty where it was.
        damaged: Tiles of a slide that are damaged and were left out.
    """

    path: Path
    width: int = 0
    height: int = 0
    scale: Scale | None = None
    cells: Sequence[Cell] = ()
    problem: str = ""
    damaged: int = 0


class Finder(NamedTuple):
    """What finds cells.

    Attributes:
        find: Finds the cells of a picture; see :func:`blastfold.cells.detector.find_cells`.
        red_cell: Diameter at which it sees red cells, pixels; None where it must be given whole
            pictures.
    """

    find: Callable[..., list[Cell]]
    red_cell: float | None


CLASSICAL = Finder(find_cells, RED_CELL)
"""The detector without trained weights."""


def given_scale(settings: Mapping) -> Scale | None:
    """Return the scale that the settings give; None where it is to be found.

    Args:
        settings: ``red_cell_diameter`` (pixels) or ``micrometres_per_pixel``, or neither.

    Raises:
        InputError: Both are given, or one is not positive.
    """
    diameter, micrometres = (
        settings.get(key) for key in ("red_cell_diameter", "micrometres_per_pixel")
    )
    if diameter and micrometres:
        raise InputError(
            f"detector: red_cell_diameter {diameter:g} and micrometres_per_pixel {micrometres:g} "
            "are both given; expected one of them."
        )
    for key, value in (("red_cell_diameter", diameter), ("micrometres_per_pixel", micrometres)):
        if value is not None and not value > 0:
            raise InputError(f"detector.{key}: received {value!r}, expected a positive number.")
    if micrometres:
        diameter = MICROMETRES / micrometres
    return Scale(float(diameter), GIVEN_SCALE, 0) if diameter else None


def search_files(
    paths: Sequence[str | os.PathLike],
    settings: Mapping | None = None,
    threads: int = 1,
    report: Callable[[str], None] | None = logger.info,
    finder: Finder = CLASSICAL,
) -> list[Searched]:
    """Find the leukocytes of photographs and slides. A file that cannot be used stops no other.

    Args:
        paths: Files: JPEG, PNG, BMP, TIFF, or slides.
        settings: See :func:`given_scale`.
        threads: Threads; each holds one photograph. Slides are searched one after the other.
        report: Is given a line every few seconds.
        finder: What finds the cells.

    Returns:
        What was found, in the order of the paths.

    Raises:
        InputError: The settings contradict one another.
    """
    paths = [Path(path) for path in paths]
    given = given_scale(settings or {})
    progress = Progress(len(paths), report, "photographs searched", SECONDS_BETWEEN_REPORTS)
    found: dict[Path, Searched] = {}
    with one_opencv_thread(), ThreadPoolExecutor(max(1, threads)) as pool:
        sizes: dict[tuple[int, int], list[Path]] = defaultdict(list)
        alone: list[Path] = []
        for path, size in zip(paths, pool.map(_size_of, paths), strict=True):
            if isinstance(size, str):
                found[path] = Searched(path, problem=size)
            elif size is None:
                alone.append(path)
            else:
                sizes[size].append(path)
        progress.advance(len(found))
        for same in sizes.values():
            scale = given or _common_scale(same, pool)

            def search(path: Path, scale: Scale = scale) -> Searched:
                return _search_file(path, scale, 1, finder)

            for path, searched in zip(same, pool.map(search, same), strict=True):
                found[path] = searched
                progress.advance(1)
    for path in alone:
        found[path] = _search_file(path, given, threads, finder)
        progress.advance(1)
    return [found[path] for path in paths]


def _size_of(path: Path) -> tuple[int, int] | str | None:
    """Return the size of a photograph, why it cannot be read, or None for TIFF and slides."""
    try:
        return stored_size(path) if is_photograph(path) else None
    except BlastfoldError as error:
        return str(error)


def _common_scale(paths: list[Path], pool: ThreadPoolExecutor) -> Scale:
    """Return the scale of photographs of one size, from some that lie evenly among them."""
    numbers = np.unique(np.linspace(0, len(paths) - 1, MOST_MEASURED).round().astype(int))
    chosen = [paths[number] for number in numbers]

    def measured(measure: Callable) -> np.ndarray:
        return np.concatenate(list(pool.map(lambda path: _measure_file(path, measure), chosen)))

    widths = partial(measured, widest_places)
    return Scale(*red_cell_diameter(measured(round_red_cells), widths))


def _measure_file(path: Path, measure: Callable) -> np.ndarray:
    try:
        with opened(path) as picture:
            return measure(picture)
    except BlastfoldError:
        return np.zeros(0)


def _scale_of(pictures: Sequence[np.ndarray]) -> Scale:
    def widths() -> np.ndarray:
        return np.concatenate([widest_places(picture) for picture in pictures])

    found = [round_red_cells(picture) for picture in pictures]
    return Scale(*red_cell_diameter(np.concatenate(found or [np.zeros(0)]), widths))


def _search_file(path: Path, scale: Scale | None, threads: int, finder: Finder) -> Searched:
    try:
        with opened(path) as source:
            if isinstance(source, Slide):
                return _search_levels(path, source.levels, scale, threads, finder)
            return _search_picture(path, source, scale, threads, finder)
    except BlastfoldError as error:
        return Searched(path, problem=str(error))


def _search_picture(
    path: Path, picture: np.ndarray, scale: Scale | None, threads: int, finder: Finder
) -> Searched:
    height, width = picture.shape[:2]
    scale = scale or _scale_of([picture])
    if scale.diameter is None:
        return Searched(path, width, height, scale, problem=UNKNOWN_SCALE)
    if height * width * (RED_CELL / scale.diameter) ** 2 <= LARGEST_AT_ONCE:
        return Searched(path, width, height, scale, finder.find(picture, scale.diameter))
    return _search_levels(path, [array_level(picture)], scale, threads, finder)


def _search_levels(
    path: Path, levels: list[Level], scale: Scale | None, threads: int, finder: Finder
) -> Searched:
    finest = levels[0]
    size = finest.width, finest.height
    if finder.red_cell is None:
        return Searched(path, *size, scale, problem=WHOLE_ALONE)
    sampled = sample_level(finest, threads)
    scale = scale or _scale_of(sampled)
    if scale.diameter is None:
        return Searched(path, *size, scale, problem=UNKNOWN_SCALE)
    level = choose_level(levels, scale.diameter, finder.red_cell)
    light = light_of(sampled, scale.diameter)
    del sampled
    down = level.downsample
    cells, damaged = search_level(level, scale.diameter / down, light, threads, find=finder.find)
    return Searched(path, *size, scale, [_enlarged(cell, down) for cell in cells], "", damaged)


def _enlarged(cell: Cell, factor: float) -> Cell:
    """Return a cell of a level in pixels of level 0."""
    if factor == 1:
        return cell
    middle = (factor - 1) / 2
    return cell._replace(
        x=cell.x * factor + middle,
        y=cell.y * factor + middle,
        box=tuple(length * factor for length in cell.box),
        outline=cell.outline * factor + middle,
        area=cell.area * factor**2,
        nucleus_area=cell.nucleus_area * factor**2,
    )
