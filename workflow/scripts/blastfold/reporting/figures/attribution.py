"""The figure of attributions: pictures of cells and, next to each, where a network looks."""

import itertools
import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.attribution_table import RIGHT, TRAINED, WRONG, read_drawn, read_maps
from blastfold.core.cell_masks import read_cell_masks
from blastfold.core.manifest import read_classes
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.tables.writing import MINUS

Paths = Iterable[str | os.PathLike]

CELLS = 3
"""Cells of each class, right and wrong, of each model."""

MODELS_ABREAST = 3

ORDERS = {
    "attribution": {"color": style.BLUE, "marker": "o", "label": "From the most attributed on"},
    "chance": {"color": style.GREY, "marker": "s", "label": "The same map shuffled"},
}
"""The deletion curves and how they look."""

AREA = ("deletion", "deletion_lower", "deletion_upper")

LETTERS = 14
"""Longest line next to a row of pictures."""


def plot_attribution(
    maps: str | os.PathLike,
    measured: str | os.PathLike,
    images: str | os.PathLike,
    masks: str | os.PathLike,
    dataset: str | os.PathLike,
    titles: Mapping[str, str],
    paths: Paths,
) -> None:
    """Draw cells of every model, class and outcome with their attributions.

    Args:
        maps: ``maps.npz`` of the attributions.
        measured: ``measured.tsv`` of the same cells.
        images: Image store of the tested data set.
        masks: Masks of its cells.
        dataset: Its JSON summary, with the classes.
        titles: Titles of the models by name.
        paths: Figures to write.
    """
    table, classes = read_drawn(measured), read_classes(dataset)
    store = np.load(images, mmap_mode="r")
    rows = []
    for model, cells in table.groupby("model", sort=False):
        values = read_maps(maps, model, TRAINED, len(cells))
        chosen = choose_cells(cells.reset_index(drop=True), classes)
        for words, places in chosen:
            stored = cells["row"].to_numpy(np.int64)[places]
            shown = read_cell_masks(masks, stored).masks
            ratios = cells["ratio"].to_numpy(np.float64)[places]
            pictures = zip(store[stored], values[places], shown, ratios, strict=True)
            rows.append((f"{style.wrap(titles[model], LETTERS)}\n{words}", list(pictures)))
    style.save_figure(draw_attribution(rows), paths)


def choose_cells(cells: pd.DataFrame, classes: Sequence[str]) -> list[tuple[str, np.ndarray]]:
    """Choose the first cells of every class, right and wrong.

    Args:
        cells: Columns label and predicted of one model.
        classes: Names of the classes.

    Returns:
        What the cells are, in words, and their positions; without what has none.
    """
    found = []
    for label, name in enumerate(classes):
        for outcome in (RIGHT, WRONG):
            right = cells["label"] == cells["predicted"]
            chosen = (cells["label"] == label) & (right == (outcome == RIGHT))
            places = np.flatnonzero(chosen)[:CELLS]
            if len(places):
                found.append((f"{name}, {outcome}", places))
    return found


def plot_deletion(
    curves: str | os.PathLike,
    checks: str | os.PathLike,
    titles: Mapping[str, str],
    title: str,
    paths: Paths,
) -> None:
    """Draw the deletion curves of every model.

    Args:
        curves: ``curves.tsv``, see :mod:`blastfold.evaluation.attribution`.
        checks: ``checks.tsv`` of the same models.
        titles: Titles of the models by name.
        title: Title of the figure.
        paths: Figures to write.
    """
    table = read_table(curves, ("model", "removed", *ORDERS), ("model",))
    areas = read_table(checks, ("model", "deletion"), ("model",)).set_index("model")
    style.save_figure(draw_deletion(table, areas, titles, title), paths)


@style.styled
def draw_deletion(
    curves: pd.DataFrame, areas: pd.DataFrame, titles: Mapping[str, str], title: str
) -> Figure:
    """Draw one panel per model: the two mean curves, and the area between them with its interval.

    Args:
        curves: model, removed, and the mean probabilities :data:`ORDERS`.
        areas: deletion, deletion_lower and deletion_upper by model.
        titles: Titles of the models by name.
        title: Title of the figure.
    """
    models = list(dict.fromkeys(curves["model"]))
    if not models:
        return _no_figure("No map from which pixels could be removed")
    columns = min(MODELS_ABREAST, len(models))
    rows = -(-len(models) // columns)
    figure = Figure(figsize=(style.TWO_COLUMNS, (22 + 48 * rows) * style.MILLIMETRE))
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
    for axes, model in itertools.zip_longest(panels, models):
        if model is None:
            axes.set_axis_off()
            continue
        of_model = curves[curves["model"] == model]
        for order, look in ORDERS.items():
            axes.plot(of_model["removed"], of_model[order], markersize=3, **look)
        area = format_interval(*areas.loc[model, list(AREA)])
        axes.set_title(f"{style.wrap(titles[model], 28)}\narea {area}", fontsize=7)
        axes.set_xlabel("Share of the pixels removed")
        axes.set_ylim(0, 1.03)
        axes.grid(axis="y")
    panels[0].set_ylabel("Probability of the\npredicted class")
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def format_interval(value: float, lower: float, upper: float) -> str:
    """Return a number with its interval, if there is one."""
    texts = [f"{number:+.3f}".replace("-", MINUS) for number in (value, lower, upper)]
    return texts[0] if np.isnan(lower) else f"{texts[0]} [{texts[1]}, {texts[2]}]"


def _no_figure(text: str) -> Figure:
    figure = Figure(figsize=(style.ONE_COLUMN, 0.5))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


@style.styled
def draw_attribution(rows: Sequence[tuple[str, list[tuple]]]) -> Figure:
    """Draw one row of pictures for each text.

    Args:
        rows: A text and the cells next to it: picture (uint8 (h, w, 3)), map (float (rows,
            columns)), mask (bool (h, w)) and the ratio of the shares; NaN of an empty map.
    """
    if not rows:
        return _no_figure("No network with an attribution")
    width, margin = style.TWO_COLUMNS, 0.2
    height = 1.12 * width / (2 * CELLS) * len(rows) + margin
    # All cells have one size. The layout of other figures would take most of the time here.
    figure = Figure(figsize=(width, height), layout="none")
    ends = {"left": 0.09, "right": 0.995, "bottom": 0.02, "top": 1 - margin / height}
    spaces = {"wspace": 0.04, "hspace": 0.16}
    grid = figure.subplots(len(rows), 2 * CELLS, squeeze=False, gridspec_kw=ends | spaces)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (text, cells) in zip(grid, rows, strict=True):
        style.label_row(axes[0], text)
        for place, cell in enumerate(cells):
            _draw_cell(*axes[2 * place : 2 * place + 2], *cell)
    return figure


def _draw_cell(
    left: Axes, right: Axes, picture: np.ndarray, values: np.ndarray, mask: np.ndarray, ratio: float
) -> None:
    height, width = picture.shape[:2]
    left.imshow(picture)
    right.imshow(picture.mean(axis=2), cmap="gray", vmin=0, vmax=255)
    positive = np.maximum(values, 0)
    if positive.max() > 0:
        around = (-0.5, width - 0.5, height - 0.5, -0.5)
        right.imshow(
            *(positive / positive.max(),),
            **{"cmap": "inferno", "alpha": 0.6, "extent": around, "interpolation": "bilinear"},
        )
    if mask.any() and not mask.all():
        right.contour(mask, levels=[0.5], colors=[style.SKY_BLUE], linewidths=0.7)
    right.set_xlim(-0.5, width - 0.5)
    right.set_ylim(height - 0.5, -0.5)
    text = "empty" if not positive.max() > 0 else f"ratio {ratio:.1f}"
    right.set_title(text if positive.max() <= 0 or np.isfinite(ratio) else "", fontsize=6, pad=2)
