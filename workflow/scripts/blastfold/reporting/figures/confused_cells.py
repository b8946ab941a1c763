"""Pictures of the cells of those classes that a model confuses the most."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from blastfold.core.manifest import read_manifest
from blastfold.core.predictions import predicted_classes, read_test_predictions
from blastfold.reporting.class_predictions import ConfusedPair, confused_pairs, predicted_by_image
from blastfold.reporting.figures import style

Paths = Iterable[str | os.PathLike]

PAIRS, CELLS = 5, 6
"""Pairs of classes and cells of each pair that are drawn, at most."""

ASPECT = 1.36
"""Height of a cell's picture with its caption over its width."""


def plot_confused_cells(
    predictions: str | os.PathLike,
    manifest: str | os.PathLike,
    images: str | os.PathLike,
    title: str,
    paths: Paths,
) -> None:
    """Draw the cells that are most confused with each other, a row for each pair of classes.

    Args:
        predictions: Predictions of all folds of the run.
        manifest: Manifest of the data set.
        images: Its images, uint8 (n, height, width, 3) RGB.
        title: Titles of its data set, protocol and model.
        paths: Figures to write.
    """
    tested = read_test_predictions(predictions)
    pairs = confused_pairs(predicted_by_image(tested), predicted_classes(tested), PAIRS, CELLS)
    names = read_manifest(manifest)["image_id"]
    row_of = dict(zip(names, range(len(names)), strict=True))
    store = np.load(images, mmap_mode="r")
    shown = {name: np.asarray(store[row_of[name]]) for pair in pairs for name in pair.cells.index}
    style.save_figure(confused_cells(pairs, shown, title), paths)


@style.styled
def confused_cells(
    pairs: Sequence[ConfusedPair], pictures: Mapping[str, np.ndarray], title: str
) -> Figure:
    """Draw one row of cells per pair of classes, each with its true and its predicted class.

    Args:
        pairs: The pairs with their cells.
        pictures: Picture of every cell, uint8 (height, width, 3) RGB, by its name.
        title: Title of the figure.
    """
    if not pairs:
        return _without_confusion(title)
    figure, grid = style.image_grid(len(pairs), CELLS, style.TWO_COLUMNS, ASPECT)
    figure.set_figheight(figure.get_figheight() + 0.12 * len(pairs) + 0.3)
    for row, pair in zip(grid, pairs, strict=True):
        for axes, (name, cell) in zip(row, pair.cells.iterrows(), strict=False):
            axes.imshow(pictures[name])
            lines = [style.wrap(cell["class"], 19, 1), f"as {style.wrap(cell['predicted'], 16, 1)}"]
            text = "\n".join([*lines, f"{100 * cell['certainty']:.0f} %"])
            axes.text(0.5, -0.04, text, ha="center", va="top", fontsize=6, transform=axes.transAxes)
        images = f"{pair.images:,} image{'s' if pair.images > 1 else ''}"
        heading = f"{pair.first} and {pair.second}: {images}"
        # The title makes room above the row; the heading itself is wider than its picture.
        row[0].set_title(" ", fontsize=7)
        text = row[0].text(
            0, 1.06, style.wrap(heading, 110, 1), fontsize=7, fontweight="bold", va="bottom",
            transform=row[0].transAxes,
        )  # fmt: skip
        text.set_in_layout(False)
    figure.suptitle(style.wrap(title, 105), fontsize=8)
    return figure


def _without_confusion(title: str) -> Figure:
    figure = Figure(figsize=(style.ONE_COLUMN, 30 * style.MILLIMETRE))
    axes = figure.subplots()
    axes.set_axis_off()
    text = "No test image is predicted as another class."
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    figure.suptitle(style.wrap(title, 50), fontsize=8)
    return figure
