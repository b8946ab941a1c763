"""Figures of data sets with more than two classes: confusion matrix, curves of every class."""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from blastfold.core.names import POOLED
from blastfold.core.tables import read_table
from blastfold.reporting.class_tables import (
    Confusion,
    pooled_confusion,
    read_class_metrics,
    values_of_classes,
)
from blastfold.reporting.figures import style
from blastfold.reporting.figures.class_calibration import plot_class_calibration
from blastfold.reporting.figures.class_styles import class_style
from blastfold.reporting.figures.class_subjects import plot_class_subjects
from blastfold.reporting.figures.confused_cells import plot_confused_cells

Paths = Iterable[str | os.PathLike]

FEW, MOST_COUNTED = 6, 15
"""Up to FEW classes cells have room for percent with a decimal, up to MOST_COUNTED for counts."""

DARK = 0.55
"""Share from which a cell is so dark that its text is white."""

CURVES = {
    "roc": ("False positive rate (%)", "Sensitivity (%)"),
    "precision_recall": ("Recall (sensitivity, %)", "Precision (%)"),
}
"""The curves of a class with the labels of their axes."""


class Layout(NamedTuple):
    """Measures of a confusion matrix.

    Attributes:
        cell: Side of a cell, mm.
        count, share: Sizes of the two lines of text of a cell, points; count is 0 where there is
            no room for counts.
        name: Size of the names of the classes, points.
    """

    cell: float
    count: float
    share: float
    name: float


def plot_classes(stored: Mapping[str, str], title: str, outputs: Mapping[str, Paths]) -> None:
    """Draw all figures of all classes of one run.

    Args:
        stored: Files by kind: confusion, curves, metrics, calibration and reliability
            (``class_*.tsv``), predictions, and manifest and images of the data set.
        title: Titles of its data set, protocol and model.
        outputs: Figures to write by name: confusion_figure, curves_figure, calibration_figure,
            subjects_figure and confused_cells.
    """
    tables = stored["metrics"], stored["confusion"]
    plot_class_confusion(stored["confusion"], title, outputs["confusion_figure"])
    plot_class_curves(stored["curves"], *tables, title, outputs["curves_figure"])
    reliable = stored["reliability"], stored["calibration"]
    plot_class_calibration(*reliable, title, outputs["calibration_figure"])
    predicted = stored["predictions"], stored["manifest"]
    plot_class_subjects(*predicted, title, outputs["subjects_figure"])
    plot_confused_cells(*predicted, stored["images"], title, outputs["confused_cells"])


def plot_class_confusion(confusion: str | os.PathLike, title: str, paths: Paths) -> None:
    """Draw the confusion matrix of all classes, all folds together.

    Args:
        confusion: ``class_confusion.tsv`` of the run.
        title: Titles of its data set, protocol and model.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    style.save_figure(class_confusion(pooled_confusion(confusion), title), paths)


@style.styled
def class_confusion(confusion: Confusion, title: str) -> Figure:
    """Draw counts and row shares; of more than 15 classes the shares alone.

    Args:
        confusion: Counts of all folds together.
        title: Title of the figure.
    """
    counts, number = confusion.counts, len(confusion.classes)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    layout = _layout(number)
    figure = Figure(figsize=_size(confusion, layout))
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("blues", ["#FFFFFF", style.BLUE])
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        text = _share_text(shares[row, column], number) if totals[row, 0] else "no images"
        _write_cell(axes, (row, column), count, text, shares[row, column], layout)
    # White lines between cells make rows easy to follow.
    axes.set_xticks(np.arange(number - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(number - 1) + 0.5, minor=True)
    axes.grid(which="minor", color=style.LIGHT_GREY, lw=0.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    _name_classes(axes, confusion, layout)
    pooled = f", {confusion.folds} folds together" if confusion.folds > 1 else ""
    images = f"{int(counts.sum()):,} test images{pooled}"
    characters = int(figure.get_figwidth() / style.MILLIMETRE * 0.55)
    figure.suptitle(f"{style.wrap(title, characters)}\n{images}", fontsize=7.5)
    return figure


def _layout(number: int) -> Layout:
    if number <= FEW:
        return Layout(cell=15.5, count=8.5, share=6.5, name=7.5)
    if number <= 10:
        return Layout(cell=12.5, count=7, share=5.6, name=7)
    if number <= MOST_COUNTED:
        return Layout(cell=9.6, count=5.8, share=5, name=6.2)
    return Layout(cell=145 / number, count=0, share=float(np.clip(145 / number, 3.5, 5)), name=5)


def _size(confusion: Confusion, layout: Layout) -> tuple[float, float]:
    """Return width and height in inches: the cells, and names of at most two lines next to them."""
    longest = min(max(map(len, confusion.classes)), _characters(len(confusion.classes)))
    margin = 16 + longest * layout.name * 0.2
    side = layout.cell * len(confusion.classes)
    width = float(np.clip((side + margin) * style.MILLIMETRE, style.ONE_COLUMN, style.TWO_COLUMNS))
    return width, (side + margin + 14) * style.MILLIMETRE


def _characters(number: int) -> int:
    """Return the letters in a line of a class's name."""
    return 22 if number <= MOST_COUNTED else 18


def _share_text(share: float, number: int) -> str:
    if number <= FEW:
        return f"{100 * share:.1f} %"
    if 0 < share < 0.005:
        return "<1 %" if number <= MOST_COUNTED else "<1"
    text = f"{100 * share:.0f}"
    return f"{text} %" if number <= MOST_COUNTED else text


def _write_cell(
    axes: Axes, place: tuple[int, int], count: int, share_text: str, share: float, layout: Layout
) -> None:
    """Write count and share of a cell; an empty cell has a pale zero."""
    row, column = place
    centred = {"ha": "center", "va": "center"}
    if not count and share_text != "no images":
        axes.text(column, row, "0", color=style.GREY, size=layout.share, **centred)
        return
    if share_text == "no images":
        if row == column:
            axes.text(column, row, "no\nimages", color="black", size=layout.share, **centred)
        return
    colour = "white" if share > DARK else "black"
    if layout.count:
        axes.text(column, row - 0.14, f"{count:,}", color=colour, size=layout.count, **centred)
    below = 0.2 if layout.count else 0
    axes.text(column, row + below, share_text, color=colour, size=layout.share, **centred)


def _name_classes(axes: Axes, confusion: Confusion, layout: Layout) -> None:
    number = len(confusion.classes)
    lines = 3 if number <= 10 else 2 if number <= MOST_COUNTED else 1
    names = [style.wrap(name, _characters(number), lines) for name in confusion.classes]
    totals = confusion.counts.sum(axis=1)
    rows = [
        f"{name}\n(n = {total:,})" if number <= FEW else f"{name} ({total:,})"
        for name, total in zip(names, totals, strict=True)
    ]
    places = range(number)
    axes.set_yticks(places, rows, fontsize=layout.name)
    axes.set_xticks(places, names, fontsize=layout.name, rotation=45, ha="right")
    for label in axes.get_xticklabels():
        label.set_rotation_mode("anchor")
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")


def plot_class_curves(
    curves: str | os.PathLike,
    metrics: str | os.PathLike,
    confusion: str | os.PathLike,
    title: str,
    paths: Paths,
) -> None:
    """Draw the ROC curve and the precision-recall curve of each class against all others.

    Args:
        curves: ``class_curves.tsv`` of the run.
        metrics: ``class_metrics.tsv`` of the run, for the areas under the curves.
        confusion: ``class_confusion.tsv`` of the run, for the classes and their images.
        title: Titles of its data set, protocol and model.
        paths: Figures to write.
    """
    table = read_table(curves, ("scope", "class", "curve", "x", "y"), text=("class",))
    areas = values_of_classes(read_class_metrics(metrics), "auc")
    figure = class_curves(
        table[table["scope"] == POOLED], areas, pooled_confusion(confusion), title
    )
    style.save_figure(figure, paths)


@style.styled
def class_curves(
    curves: pd.DataFrame, areas: Mapping[str, Sequence[float]], confusion: Confusion, title: str
) -> Figure:
    """Draw the curves of all classes in two panels with one legend.

    Args:
        curves: class, curve (roc or precision_recall), x and y; a class of which the test images
            have none, or nothing else, has no points.
        areas: Area under the ROC curve, its lower and its upper limit (NaN where unknown) by class.
        confusion: Counts of all folds together, for the classes and their images.
        title: Title of the figure.
    """
    classes = confusion.classes
    columns = 2 if max(map(len, classes)) > 10 or len(classes) < 3 else 3
    rows = -(-len(classes) // columns)
    height = 88 + 4.2 * rows
    figure = Figure(figsize=(style.TWO_COLUMNS, height * style.MILLIMETRE))
    panels = figure.subplots(1, 2)
    for axes, (kind, labels) in zip(panels, CURVES.items(), strict=True):
        _prepare(axes, labels)
        for position, name in enumerate(classes):
            points = curves[(curves["class"] == name) & (curves["curve"] == kind)]
            look = class_style(position)
            axes.plot(points["x"], points["y"], color=look.colour, ls=look.line, label=name, lw=1.2)
    panels[0].plot([0, 1], [0, 1], color=style.GREY, lw=0.8, ls=(0, (4, 3)), zorder=1)
    handles = panels[0].get_lines()[: len(classes)]
    texts = [_legend_text(name, areas.get(name), confusion) for name in classes]
    figure.legend(handles, texts, loc="outside lower center", ncols=columns, fontsize=7)
    figure.suptitle(style.wrap(title, 105), fontsize=7.5)
    # As in blastfold.reporting.figures.evaluation: square axes settle at the second drawing.
    figure.draw_without_rendering()
    return figure


def _prepare(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_box_aspect(1)
    axes.grid()
    for axis, label in zip("xy", labels, strict=True):
        style.set_percent_axis(axes, axis)
        getattr(axes, f"set_{axis}label")(label)


def _legend_text(name: str, area: Sequence[float] | None, confusion: Confusion) -> str:
    """Return a class with its area under the ROC curve and the number of its images."""
    images = int(confusion.counts[confusion.classes.index(name)].sum())
    shown = f"{style.wrap(name, 24, lines=1)} ({images:,})"
    if area is None or np.isnan(area[0]):
        return f"{shown}: AUC undefined"
    limits = "" if np.isnan(area[1]) else f" [{area[1]:.3f}, {area[2]:.3f}]"
    return f"{shown}: AUC {area[0]:.3f}{limits}"
