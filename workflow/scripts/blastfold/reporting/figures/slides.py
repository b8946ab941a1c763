"""Figure of a slide: what was scanned, where tissue was found, which tiles were kept."""

import os
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from blastfold.core.tables import read_table
from blastfold.reporting.figures import style

KEPT = "kept"
COLOURS = {
    KEPT: style.GREEN,
    "background": style.GREY,
    "pen": style.BLUE,
    "blurred": style.ORANGE,
    "damaged": style.VERMILLION,
}
"""Colour of kept tiles and of every reason, in the order of the legend."""

LONGEST_SIDE = 900
"""Pixels of a drawn image; three of them are side by side on a page."""


def plot_slide(
    table: str | os.PathLike,
    thumbnail: str | os.PathLike,
    paths: Iterable[str | os.PathLike],
) -> None:
    """Draw a slide with its tissue and its tiles.

    Args:
        table: ``tiles.tsv`` of the slide.
        thumbnail: ``thumbnail.npz`` of the slide.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    tiles = read_table(table, text=("label",))
    with np.load(thumbnail) as stored:
        arrays = {name: stored[name] for name in ("thumbnail", "tissue", "pen")}
        figure = slide_figure(tiles, float(stored["step"]), **arrays)
    style.save_figure(figure, paths)


@style.styled
def slide_figure(
    tiles: pd.DataFrame,
    step: float,
    thumbnail: np.ndarray,
    tissue: np.ndarray,
    pen: np.ndarray,
) -> Figure:
    """Draw thumbnail, mask and tiles side by side; a tall slide keeps its shape.

    Args:
        tiles: x, y, width, height (pixels of level 0), kept and reason of each tile.
        step: Pixels of level 0 for one pixel of the thumbnail.
        thumbnail: uint8 (h, w, 3).
        tissue: bool (h, w).
        pen: bool (h, w).
    """
    every = -(-max(thumbnail.shape[:2]) // LONGEST_SIDE)
    pixels = thumbnail[::every, ::every]
    shown = [
        pixels,
        _mask_image(tissue[::every, ::every], pen[::every, ::every]),
        _tile_image(tiles, step * every, pixels),
    ]
    aspect = min(1.4, max(0.3, pixels.shape[0] / pixels.shape[1]))
    figure = Figure(figsize=(style.TWO_COLUMNS, style.TWO_COLUMNS / 3 * aspect + 0.55))
    counts = tile_counts(tiles)
    headings = [
        "Slide",
        "Tissue and pen marks",
        f"Tiles ({counts.get(KEPT, 0):,} of {len(tiles):,} kept)",
    ]
    for axes, image, heading in zip(figure.subplots(1, 3), shown, headings, strict=True):
        axes.imshow(image, interpolation="nearest")
        axes.set_title(heading)
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_color(style.LIGHT_GREY)
    handles = [
        Patch(color=COLOURS[name], label=f"{name.capitalize()}: {counts[name]:,}")
        for name in COLOURS
        if name in counts
    ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def tile_counts(tiles: pd.DataFrame) -> dict[str, int]:
    """Count tiles by what became of them, kept ones under ``kept``."""
    return tiles["reason"].replace("", KEPT).value_counts().to_dict()


def _mask_image(tissue: np.ndarray, pen: np.ndarray) -> np.ndarray:
    image = np.full((*tissue.shape, 3), 255, dtype=np.uint8)
    image[tissue] = _rgb(style.PURPLE)
    image[pen] = _rgb(style.BLUE)
    return image


def _tile_image(tiles: pd.DataFrame, step: float, pixels: np.ndarray) -> np.ndarray:
    """Tint the tiles; their edges stay free, so that neighbours are distinguishable."""
    # Without colours of its own, so that none mixes with those of the reasons.
    grey = pixels.mean(axis=2, keepdims=True, dtype=np.float32)
    image = np.repeat(0.75 * grey + 0.25 * 255, 3, axis=2)
    tint, weight = np.zeros_like(image), np.zeros((*image.shape[:2], 1), dtype=np.float32)
    corners = tiles[["x", "y"]].to_numpy(dtype=float) / step
    lengths = tiles[["width", "height"]].to_numpy(dtype=float) / step
    first = np.rint(corners).astype(int)
    last = np.maximum(np.rint(corners + lengths).astype(int), first + 1)
    last -= (last - first > 3).astype(int)
    names = tiles["reason"].replace("", KEPT)
    # Kept tiles last: where tiles overlap, what was kept is seen.
    for number in np.argsort((names == KEPT).to_numpy(), kind="stable"):
        (left, top), (right, bottom) = first[number], last[number]
        tint[top:bottom, left:right] = _rgb(COLOURS[names.iloc[number]])
        weight[top:bottom, left:right] = 0.5
    return np.rint(image * (1 - weight) + tint * weight).astype(np.uint8)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(round(255 * part) for part in to_rgb(colour))
