"""The figure of decision curves: net benefit of all models by threshold."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.figure import Figure

from blastfold.core.tables import read_table
from blastfold.reporting.figures import style

Paths = Iterable[str | os.PathLike]

LOWEST, HIGHEST = -0.25, 1.15
"""The axis shows these parts of the largest possible net benefit, the share of positives."""


def plot_decision_curves(curves: Paths, models: Sequence[str], title: str, paths: Paths) -> None:
    """Draw the decision curves of all models under one protocol.

    Args:
        curves: ``decision_curve.tsv`` of each model.
        models: Title of each model, in the same order.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    style.save_figure(decision_curves([read_table(path) for path in curves], models, title), paths)


@style.styled
def decision_curves(curves: Sequence[pd.DataFrame], models: Sequence[str], title: str) -> Figure:
    """Draw the net benefit of all models, of taking all images as positive, and of none.

    Args:
        curves: threshold, net_benefit, lower, upper, treat_all and positive_share of each model.
        models: Title of each model.
        title: Title of the figure.
    """
    figure = Figure(figsize=(style.ONE_COLUMN * 1.2, 88 * style.MILLIMETRE))
    axes = figure.subplots()
    first = curves[0]
    axes.axhline(0, color=style.BLACK, lw=0.9, label="No image taken as positive")
    axes.plot(
        first["threshold"], first["treat_all"], color=style.GREY, lw=1.1, ls=(0, (4, 2)),
        label="All images taken as positive",
    )  # fmt: skip
    for place, (curve, model) in enumerate(zip(curves, models, strict=True)):
        colour = style.SERIES[place % len(style.SERIES)]
        band = {"color": colour, "alpha": 0.12, "lw": 0}
        axes.fill_between(curve["threshold"], curve["lower"], curve["upper"], **band)
        name = style.wrap(model, 40, lines=1)
        axes.plot(curve["threshold"], curve["net_benefit"], color=colour, label=name)
    top = max(1e-3, first["positive_share"].iloc[0])
    axes.set_ylim(LOWEST * top, HIGHEST * top)
    axes.set_xlim(0, 1)
    axes.grid()
    axes.set_xlabel("Threshold probability")
    share = 100 * first["positive_share"].iloc[0]
    axes.set_ylabel(f"Net benefit per image ({share:.0f} % positive)")
    figure.suptitle(style.wrap(title, 60), fontsize=8)
    figure.legend(loc="outside lower center", ncols=1)
    return figure
