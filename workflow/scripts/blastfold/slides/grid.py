"""The places of a slide's tiles: grid, level of the pyramid, and the size at the wanted mpp."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from blastfold.core.errors import InputError

MOST_ENLARGEMENT = 1.1
"""Scanners differ by some per cent from their nominal mpp; more would be invented detail."""

NEARLY_WHOLE = 1e-6


@dataclasses.dataclass(frozen=True)
class TilePlan:
    """How tiles are cut from one level of a slide.

    Attributes:
        level: Number of the level that is read, 0 the finest.
        downsample: Pixels of level 0 that one pixel of the level covers.
        ratio: Pixels of the level that one pixel of a tile covers, height and width alike.
        tile_size: Height and width of a tile as stored, pixels.
        window: Height and width of what is read from the level, pixels.
        spacing: Distance from one tile to the next, pixels of the level; may be fractional.
        mpp: Micrometres per pixel of a tile; None when unknown.
    """

    level: int
    downsample: float
    ratio: float
    tile_size: int
    window: int
    spacing: float
    mpp: float | None


def plan_tiles(settings: Mapping, mpp: float | None, downsamples: Sequence[float]) -> TilePlan:
    """Choose the level and the sizes for the wanted tiles.

    The coarsest level that is still as fine as wanted is read, and shrunk by the exact ratio.

    Args:
        settings: tile_size and overlap in ``unit`` (pixels of a tile, or micrometres), mpp
            (wanted micrometres per pixel; None takes level 0 as it is).
        mpp: Micrometres per pixel of level 0; None when unknown.
        downsamples: Pixels of level 0 for one pixel of each level, finest first.

    Returns:
        The plan. In micrometres the tile's size is rounded to whole pixels.

    Raises:
        InputError: Micrometres are asked of a slide without mpp, the slide is coarser than
            wanted, or no tile or no spacing is left after rounding.
    """
    in_micrometres = settings["unit"] == "micrometres"
    wanted = settings["mpp"]
    if mpp is None and (in_micrometres or wanted):
        asked = "unit: micrometres" if in_micrometres else f"mpp: {wanted:g}"
        raise InputError(
            f"slides.{asked} needs the micrometres per pixel of the slide, but the file does not "
            "record them. Declare them in the column mpp of the sheet, or use unit: pixels "
            "and mpp: null."
        )
    reduction = wanted / mpp if wanted else 1.0
    if reduction < 1 / MOST_ENLARGEMENT:
        raise InputError(
            f"slides.mpp: received {wanted:g}, but the slide has {mpp:g} micrometres per pixel; "
            "expected at least as many, because enlarging invents detail."
        )
    tile_mpp = wanted or mpp
    scale = tile_mpp if in_micrometres else 1.0
    tile_size = round(settings["tile_size"] / scale)
    spacing = (settings["tile_size"] - settings["overlap"]) / scale
    if tile_size < 1 or spacing < 1:
        raise InputError(
            f"slides.tile_size {settings['tile_size']:g} with overlap {settings['overlap']:g} is "
            f"{tile_size} pixels with a spacing of {spacing:g}; expected at least 1 of each."
        )
    finer = [n for n, downsample in enumerate(downsamples) if downsample <= reduction + 1e-3]
    level = max(finer, key=lambda n: downsamples[n], default=0)
    ratio = reduction / downsamples[level]
    if abs(ratio - 1) < NEARLY_WHOLE:
        ratio = 1.0
    return TilePlan(
        level=level,
        downsample=downsamples[level],
        ratio=ratio,
        tile_size=tile_size,
        window=int(np.ceil(tile_size * ratio - NEARLY_WHOLE)),
        spacing=spacing * ratio,
        mpp=tile_mpp,
    )


def tile_grid(
    image_size: tuple[int, int],
    tile_size: tuple[int, int],
    spacing: tuple[float, float],
    edges: str = "drop",
) -> np.ndarray:
    """Lay a regular grid of tiles over an image, starting at its upper left corner.

    Args:
        image_size: Width and height of the image, pixels.
        tile_size: Width and height of a tile, pixels.
        spacing: Distance from one tile to the next, across and down, pixels; a fractional one is
            rounded at every tile, so that the error does not add up.
        edges: ``drop`` keeps tiles inside the image; ``pad`` keeps all whose corner is inside.

    Returns:
        int64 (n, 4): x, y, width, height, row by row from the top, each from left to right.

    Raises:
        InputError: A size or a spacing is not at least 1, or ``edges`` is unknown.
    """
    if edges not in ("drop", "pad"):
        raise InputError(f"slides.edges: received {edges!r}, expected drop or pad")
    for name, lengths in (("image", image_size), ("tile", tile_size), ("spacing", spacing)):
        if len(lengths) != 2 or min(lengths) < 1:
            raise InputError(
                f"tile grid: received {name} {tuple(lengths)}, expected two lengths of at least 1"
            )
    starts = [
        _starts(length, tile, step, edges)
        for length, tile, step in zip(image_size, tile_size, spacing, strict=True)
    ]
    y, x = np.meshgrid(starts[1], starts[0], indexing="ij")
    boxes = np.empty((x.size, 4), dtype=np.int64)
    boxes[:, 0], boxes[:, 1] = x.ravel(), y.ravel()
    boxes[:, 2:] = tile_size
    return boxes


def _starts(length: int, tile: int, step: float, edges: str) -> np.ndarray:
    places = np.arange(int(np.ceil(length / step)) + 1) * step
    starts = np.floor(places + 0.5).astype(np.int64)
    last = length - tile if edges == "drop" else length - 1
    return starts[starts <= last]


def to_level_zero(boxes: np.ndarray, plan: TilePlan) -> np.ndarray:
    """Give boxes of the plan's level in pixels of level 0.

    Args:
        boxes: int (n, 4): x, y, width, height in pixels of the level.
        plan: The plan that they were cut by.

    Returns:
        int64 (n, 4): x and y rounded; width and height of what one tile shows.
    """
    shown = plan.tile_size * plan.ratio * plan.downsample
    converted = np.rint(boxes * plan.downsample).astype(np.int64)
    converted[:, 2:] = round(shown)
    return converted
