"""Figures of the training: loss, accuracy and F1 over the epochs."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from blastfold.core.tables import read_table
from blastfold.reporting.figures import style

MEASURES = {"accuracy": "Accuracy (%)", "loss": "Loss (cross-entropy)", "f1": "F1 (%)"}

ROLES = {"": ("Training", style.BLUE), "val_": ("Validation", style.VERMILLION)}
"""Title and colour by the prefix that the history's columns have."""


def plot_training_curves(
    history: str | os.PathLike, title: str, paths: Iterable[str | os.PathLike]
) -> None:
    """Draw the training history of all folds (thesis Figs. 5.1, 5.2, 5.4, 5.5 ...).

    Args:
        history: ``history.tsv`` of all folds: repeat, fold, epoch and the metrics.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    by_fold = read_table(history).groupby(["repeat", "fold"])
    style.save_figure(training_curves([table for _, table in by_fold], title), paths)


@style.styled
def training_curves(histories: Sequence[pd.DataFrame], title: str) -> Figure:
    """Draw accuracy, loss and F1 over the epochs: each fold thin, their mean bold.

    Args:
        histories: epoch, loss, accuracy, f1, val_loss, val_accuracy and val_f1 of each fold.
        title: Title of the figure.
    """
    figure = Figure(figsize=(style.TWO_COLUMNS, 62 * style.MILLIMETRE))
    panels = figure.subplots(1, len(MEASURES))
    for axes, (measure, label) in zip(panels, MEASURES.items(), strict=True):
        for prefix, (role, colour) in ROLES.items():
            _draw_role(axes, histories, prefix + measure, role, colour)
        axes.set_xlabel("Epoch")
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=6))
        axes.grid(axis="y")
        if measure != "loss":
            style.set_percent_axis(axes)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    figure.suptitle(style.wrap(title, 110), fontsize=8)
    return figure


def mean_over_folds(histories: Sequence[pd.DataFrame], column: str) -> pd.Series:
    """Average one column over the folds.

    Args:
        histories: History of each fold.
        column: Name of the column.

    Returns:
        The mean by epoch, for the epochs that every fold has reached: beyond them the average
        would jump because folds drop out.
    """
    table = pd.concat([history.set_index("epoch")[column] for history in histories], axis=1)
    return table.dropna().mean(axis=1)


def _draw_role(
    axes: Axes, histories: Sequence[pd.DataFrame], column: str, role: str, colour: str
) -> None:
    present = [history for history in histories if column in history]
    present = [history for history in present if history[column].notna().any()]
    if not present:
        return
    several = len(present) > 1
    if several:
        for position, history in enumerate(present):
            name = f"{role}, each fold" if position == 0 else None
            axes.plot(
                history["epoch"], history[column], color=colour, alpha=0.35, lw=0.6, label=name
            )
    mean = mean_over_folds(present, column)
    # A single epoch is a point, which a line without a marker does not show.
    marker = "o" if len(mean) <= 20 else None
    name = f"{role}, mean of folds" if several else role
    axes.plot(mean.index, mean, color=colour, marker=marker, markersize=2.5, label=name)
