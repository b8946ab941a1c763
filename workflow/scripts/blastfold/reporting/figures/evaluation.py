"""Figures of the evaluation: confusion matrix, ROC and precision-recall curves."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from blastfold.core.names import CELLS, POOLED, fold_scopes
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style

Paths = Iterable[str | os.PathLike]

CLASSES = ("negative_class", "positive_class")
"""Columns of ``confusion.tsv`` that name the classes."""


def plot_confusion_matrix(confusion: str | os.PathLike, title: str, paths: Paths) -> None:
    """Draw the confusion matrix of all folds together (thesis Figs. 5.3, 5.6, 5.9 ...).

    Args:
        confusion: ``confusion.tsv`` of the run.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    table = read_table(confusion, ("scope", *CELLS, *CLASSES)).set_index("scope")
    folds = len(fold_scopes(table.index))
    pooled = table.loc[POOLED]
    matrix = pooled[list(CELLS)].to_numpy(dtype=int).reshape(2, 2)
    figure = confusion_matrix(matrix, list(pooled[list(CLASSES)]), folds, title)
    style.save_figure(figure, paths)


@style.styled
def confusion_matrix(matrix: np.ndarray, classes: Sequence[str], folds: int, title: str) -> Figure:
    """Draw a confusion matrix with counts and the percent of each row.

    Args:
        matrix: int (2, 2); true class by row, predicted class by column.
        classes: Names of the classes, in the same order.
        folds: Number of folds that are taken together.
        title: Title of the figure.
    """
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    figure = Figure(figsize=(style.ONE_COLUMN, 78 * style.MILLIMETRE))
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("blues", ["#FFFFFF", style.BLUE])
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        percent = f"{100 * shares[row, column]:.2f} %" if totals[row, 0] else "no images"
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row - 0.08, str(count), color=colour, ha="center", va="center", size=12)
        axes.text(column, row + 0.16, percent, color=colour, ha="center", va="center", size=7.5)
    names = [style.wrap(style.class_title(name), 18) for name in style.side_names(classes)]
    sizes = [f"{name}\n(n = {total})" for name, total in zip(names, totals[:, 0], strict=True)]
    axes.set_xticks([0, 1], names)
    axes.set_yticks([0, 1], sizes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("Predicted class")
    axes.set_ylabel("True class")
    axes.set_title(_titled(title, matrix.sum(), folds), fontsize=7.5)
    return figure


def plot_curves(
    stored: Mapping[str, Paths], models: Sequence[str], title: str, outputs: Mapping[str, Paths]
) -> None:
    """Draw all curves of the models under one protocol.

    Args:
        stored: One file of each model by kind: roc, roc_bands, metrics, precision_recall,
            confusions.
        models: Title of each model, in the same order.
        title: Title of the figures.
        outputs: Figures to write by name: roc, precision_recall.
    """
    about = (models, title)
    plot_roc(stored["roc"], stored["metrics"], stored["roc_bands"], *about, outputs["roc"])
    plot_precision_recall(
        stored["precision_recall"], stored["confusions"], *about, outputs["precision_recall"]
    )


def plot_roc(
    curves: Paths, metrics: Paths, bands: Paths, models: Sequence[str], title: str, paths: Paths
) -> None:
    """Draw the ROC curves of all models under one protocol.

    Args:
        curves: ``roc.tsv`` of each model.
        metrics: ``metrics.tsv`` of each model, for the area under the curve.
        bands: ``roc_band.tsv`` of each model.
        models: Title of each model, in the same order.
        title: Title of the figure.
        paths: Figures to write.
    """
    loaded = [read_curve(path) for path in curves]
    areas = [pooled_auc(path) for path in metrics]
    spreads = [read_table(path) for path in bands]
    style.save_figure(roc(loaded, areas, models, title, spreads), paths)


@style.styled
def roc(
    curves: Sequence[pd.DataFrame],
    areas: Sequence[float],
    models: Sequence[str],
    title: str,
    bands: Sequence[pd.DataFrame] = (),
) -> Figure:
    """Draw one ROC curve per model, pooled over the folds, with its band, and each fold's thin.

    Args:
        curves: scope, false_positive_rate and true_positive_rate of each model.
        areas: Area under each pooled curve, a fraction.
        models: Title of each model.
        title: Title of the figure.
        bands: false_positive_rate, lower and upper of each pooled curve; auc_lower and
            auc_upper, the same in every row. Without them, no band and no interval.
    """
    figure, axes = square_axes(title)
    axes.plot([0, 1], [0, 1], color=style.GREY, lw=0.8, ls=(0, (4, 3)), label="Chance")
    legends = [f"{model}, AUC {_number(area)}" for model, area in zip(models, areas, strict=True)]
    for position, band in enumerate(bands):
        # A run that tested one class only has no band.
        if band.empty:
            continue
        legends[position] += _interval_text(band)
        limits = (band[column] for column in ("false_positive_rate", "lower", "upper"))
        colour = series_colour(position)
        axes.fill_between(*limits, color=colour, alpha=0.13, lw=0, zorder=0.9)
    draw_curves(axes, curves, legends, "false_positive_rate", "true_positive_rate")
    axes.set_xlabel("False positive rate (100 - specificity, %)")
    axes.set_ylabel("True positive rate (sensitivity, %)")
    legend_below(figure, axes)
    return figure


def plot_precision_recall(
    curves: Paths, confusions: Paths, models: Sequence[str], title: str, paths: Paths
) -> None:
    """Draw the precision-recall curves of all models under one protocol.

    Args:
        curves: ``precision_recall.tsv`` of each model.
        confusions: ``confusion.tsv`` of each model, for the share of the positive class.
        models: Title of each model, in the same order.
        title: Title of the figure.
        paths: Figures to write.
    """
    loaded = [read_curve(path) for path in curves]
    # All models are tested on the same images.
    needed = ("scope", "positive_share", "positive_class")
    pooled = read_table(next(iter(confusions)), needed).set_index("scope").loc[POOLED]
    chance = (float(pooled["positive_share"]), pooled["positive_class"])
    style.save_figure(precision_recall(loaded, models, chance, title), paths)


@style.styled
def precision_recall(
    curves: Sequence[pd.DataFrame], models: Sequence[str], chance: tuple[float, str], title: str
) -> Figure:
    """Draw one precision-recall curve per model, pooled over the folds, and each fold's thin.

    Args:
        curves: scope, recall, precision and average_precision of each model.
        models: Title of each model.
        chance: Share of the positive class among the test images, which is the precision of
            chance, and its name.
        title: Title of the figure.
    """
    figure, axes = square_axes(title)
    share, positive = chance
    label = f"Chance ({100 * share:.1f} % {style.side_names(['', positive])[1]})"
    axes.axhline(share, color=style.GREY, lw=0.8, ls=(0, (4, 3)), label=label)
    legends = [
        f"{model}, average precision {_number(_average_precision(curve))}"
        for model, curve in zip(models, curves, strict=True)
    ]
    draw_curves(axes, curves, legends, "recall", "precision")
    axes.set_xlabel("Recall (sensitivity, %)")
    axes.set_ylabel("Precision (%)")
    legend_below(figure, axes)
    return figure


def read_curve(path: str | os.PathLike) -> pd.DataFrame:
    """Read the points of a curve; a run that tested one class only has none."""
    return read_table(path, ("scope",))


def pooled_auc(path: str | os.PathLike) -> float:
    """Read the area under the pooled ROC curve, a fraction, from ``metrics.tsv``."""
    table = read_table(path, ("scope", "metric", "value")).set_index(["scope", "metric"])
    return float(table.at[(POOLED, "auc"), "value"])


def draw_curves(
    axes: Axes, curves: Sequence[pd.DataFrame], legends: Sequence[str], across: str, up: str
) -> None:
    """Draw the pooled curve of each model, and those of its folds thin.

    Args:
        axes: To draw on.
        curves: Points of each model; scope and the two columns named below.
        legends: The text of the legend for each model.
        across: Column of the horizontal axis.
        up: Column of the vertical axis.
    """
    for position, (curve, legend) in enumerate(zip(curves, legends, strict=True)):
        colour = series_colour(position)
        line = ("-", "--", ":")[position // len(style.SERIES) % 3]
        folds = curve[curve["scope"] != POOLED]
        if folds["scope"].nunique() > 1:
            for _, points in folds.groupby("scope", sort=False):
                axes.plot(points[across], points[up], color=colour, lw=0.5, alpha=0.35)
        pooled = _pooled(curve)
        # A run that tested one class only has no curve; the legend shows "undefined".
        points = ([], []) if pooled.empty else (pooled[across], pooled[up])
        axes.plot(*points, color=colour, ls=line, label=legend)


def series_colour(position: int) -> str:
    """Return the colour of the model at this position; seven models later it comes again."""
    return style.SERIES[position % len(style.SERIES)]


def _average_precision(curve: pd.DataFrame) -> float:
    pooled = _pooled(curve)
    return float("nan") if pooled.empty else float(pooled["average_precision"].iloc[0])


def _pooled(curve: pd.DataFrame) -> pd.DataFrame:
    return curve[curve["scope"] == POOLED]


def square_axes(title: str) -> tuple[Figure, Axes]:
    """Make a figure of one column with two percent axes from 0 to 100."""
    figure = Figure(figsize=(style.ONE_COLUMN, 85 * style.MILLIMETRE))
    axes = figure.subplots()
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_box_aspect(1)
    axes.grid()
    style.set_percent_axis(axes, "x")
    style.set_percent_axis(axes, "y")
    axes.set_title(style.wrap(title, 48), fontsize=7.5)
    return figure, axes


def legend_below(figure: Figure, axes: Axes, last: int | None = 0) -> None:
    """Set the legend below the axes and make room for it.

    Args:
        figure: The figure of the axes.
        axes: With labelled curves.
        last: Position of the entry to be named last; chance is drawn first, below the curves.
    """
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(handles)), key=lambda place: place == last)
    figure.set_figheight(figure.get_figheight() + 0.15 * len(handles))
    figure.legend(
        [handles[place] for place in order],
        [style.wrap(labels[place], 50, lines=2) for place in order],
        loc="outside lower center",
    )
    # The layout of square axes settles at the second drawing; without this one the first file
    # that is written would differ from the others.
    figure.draw_without_rendering()


def _number(value: float) -> str:
    return "undefined" if np.isnan(value) else f"{value:.3f}"


def _interval_text(band: pd.DataFrame) -> str:
    if band[["auc_lower", "auc_upper"]].iloc[0].isna().any():
        return ""
    return f" [{_number(band['auc_lower'].iloc[0])}, {_number(band['auc_upper'].iloc[0])}]"


def _titled(title: str, images: int, folds: int) -> str:
    pooled = f", {folds} folds together" if folds > 1 else ""
    return f"{style.wrap(title, 48)}\n{images} test images{pooled}"
