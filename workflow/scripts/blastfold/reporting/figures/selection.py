"""The figure that shows which tiles a selection finds good and bad."""

import os

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.figures.datasets import Paths

COLUMNS = 6
"""Tiles of each row, at most."""


def plot_selected_tiles(images: str | os.PathLike, tiles: str | os.PathLike, paths: Paths) -> None:
    """Draw the tiles of each class with the best and the worst scores.

    Args:
        images: ``images.npy`` of the data set that was chosen from.
        tiles: ``tiles_selected.tsv``, one row per image of it, in the same order.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    table = read_table(tiles, ("class", "label", "score", "kept"))
    rows = choose_extremes(table, COLUMNS)
    stored = np.load(images, mmap_mode="r")
    pictures = {name: stored[chosen.index.to_numpy()] for name, chosen in rows.items()}
    style.save_figure(extreme_tiles(pictures, rows), paths)


def choose_extremes(table: pd.DataFrame, count: int) -> dict[str, pd.DataFrame]:
    """Choose the tiles of each class with the best and with the worst scores.

    Args:
        table: label, class and score.
        count: Tiles wanted of each kind; fewer, so that none is in both, of a small class.

    Returns:
        Rows by name, for instance ``"Normal, best"``, the best ones first and the worst ones last.
    """
    chosen = {}
    for _, of_class in table.groupby("label"):
        ordered = of_class.sort_values("score", ascending=False, kind="stable")
        number = max(1, min(count, len(ordered) // 2))
        name = style.class_title(of_class["class"].iloc[0])
        chosen |= {f"{name}, best": ordered.head(number), f"{name}, worst": ordered.tail(number)}
    return chosen


@style.styled
def extreme_tiles(images: dict[str, np.ndarray], rows: dict[str, pd.DataFrame]) -> Figure:
    """Draw a row of tiles for each name, with scores and slides.

    Args:
        images: uint8 (n, height, width, 3) by name.
        rows: score, kept and picture of each tile, by the same names.
    """
    columns = max(map(len, rows.values()))
    height, width = next(iter(images.values())).shape[1:3]
    figure, grid = style.image_grid(len(rows), columns, style.TWO_COLUMNS, height / width + 0.2)
    for axes_row, (name, chosen) in zip(grid, rows.items(), strict=True):
        tiles = zip(axes_row, images[name], chosen.itertuples(), strict=False)
        for axes, image, row in tiles:
            axes.imshow(image)
            slide = style.wrap(row.picture, 22, lines=1) if row.picture else ""
            text = f"{row.score:.2f}, {'kept' if row.kept else 'left out'}"
            axes.set_title(f"{text}\n{slide}" if slide else text, fontsize=6.5, pad=2)
        style.label_row(axes_row[0], name)
    return figure
