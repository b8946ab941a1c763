"""The figure of variance components."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.names import SEEDS, SPLITS, SUBJECTS, TOGETHER
from blastfold.reporting.figures import style
from blastfold.reporting.figures.readings import drawn_metrics, panel_heading
from blastfold.reporting.tables.variance_components import read_components

Paths = Iterable[str | os.PathLike]

DRAWN_METRICS = ("auc", "accuracy")
"""The metrics of the panels for two classes."""

AXIS = "Standard deviation (points) with 95 % interval"

COLOURS = {
    SEEDS: style.ORANGE,
    SPLITS: style.GREEN,
    TOGETHER: style.VERMILLION,
    SUBJECTS: style.BLUE,
}


def plot_variance_components(
    components: str | os.PathLike,
    titles: Mapping[str, Mapping[str, str]],
    title: str,
    paths: Paths,
) -> None:
    """Draw how much seeds, splits and subjects move the results of a data set.

    Args:
        components: ``variance_components.tsv`` of the data set.
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the data set.
        paths: Figures to write.
    """
    style.save_figure(variance_components(read_components(components), titles, title), paths)


@style.styled
def variance_components(
    components: pd.DataFrame, titles: Mapping[str, Mapping[str, str]], title: str
) -> Figure:
    """Draw a panel per metric with a bar for each component of every run.

    Where seeds and splits are separated each has a bar; otherwise one bar is for both.

    Args:
        components: protocol, model, metric, component, deviation, lower and upper (fractions;
            NaN where undefined).
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the figure.
    """
    runs = list(components[["protocol", "model"]].drop_duplicates().itertuples(index=False))
    metrics = drawn_metrics(components["metric"], DRAWN_METRICS)
    height = (38 + 13 * len(runs)) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    panels = figure.subplots(1, len(metrics), sharey=True)
    for axes, metric in zip(panels, metrics, strict=True):
        for place, run in enumerate(runs):
            of_run = components[
                (components["metric"] == metric)
                & (components["protocol"] == run.protocol)
                & (components["model"] == run.model)
            ]
            _draw_run(axes, shown_components(of_run), place)
        axes.set_title(panel_heading(metric, metrics, percent=False), fontsize=8)
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        style.set_percent_axis(axes, "x")
        # A label of the whole figure would cover the legend.
        axes.set_xlabel(style.wrap(AXIS, 90 // len(metrics)))
    names = [
        f"{style.wrap(titles['model'][run.model], 30, 1)}\n"
        f"{style.wrap(titles['protocol'][run.protocol], 30, 1)}"
        for run in runs
    ]
    panels[0].set_yticks(range(len(runs)), names)
    panels[0].set_ylim(len(runs) - 0.5, -0.5)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    for name, colour in COLOURS.items():
        panels[0].barh([np.nan], [np.nan], color=colour, label=name.capitalize())
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(COLOURS)
    )
    return figure


def shown_components(of_run: pd.DataFrame) -> list[dict]:
    """Return the components of one run and metric that have bars.

    Args:
        of_run: component, deviation, lower and upper.

    Returns:
        Seeds and splits where both are known, otherwise their sum or seeds alone; subjects. Those
        without a value are left out.
    """
    known = {row["component"]: row for row in of_run.dropna(subset="deviation").to_dict("records")}
    if {SEEDS, SPLITS} <= set(known):
        known.pop(TOGETHER, None)
    elif TOGETHER in known:
        known.pop(SEEDS, None)
    return [known[name] for name in COLOURS if name in known]


def _draw_run(axes: Axes, parts: list[dict], place: int) -> None:
    step = 0.24
    for order, part in enumerate(parts):
        height = place + (order - (len(parts) - 1) / 2) * step
        axes.barh(height, part["deviation"], height=0.85 * step, color=COLOURS[part["component"]])
        if not np.isnan(part["upper"]):
            ends = np.clip(
                [part["deviation"] - part["lower"], part["upper"] - part["deviation"]], 0, None
            )
            axes.errorbar(
                part["deviation"],
                height,
                xerr=ends[:, np.newaxis],
                color=style.BLACK,
                elinewidth=0.8,
                capsize=1.8,
            )
