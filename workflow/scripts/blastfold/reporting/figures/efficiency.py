"""The figure of accuracy against cost, with its Pareto fronts."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from blastfold.reporting.figures import style
from blastfold.reporting.tables.efficiency import metric_title, read_ranked
from blastfold.reporting.tables.writing import FRACTIONS

Paths = Iterable[str | os.PathLike]

PANELS = {
    "multiply_adds": ("Multiply-adds (millions)", 1e6),
    "latency_ms": ("Latency, batch 1 (ms)", 1),
    "parameters": ("Parameters (millions)", 1e6),
}
"""Costs with the labels and the units of their axes."""

FRONT = "Pareto front"

ASIDE = 1.06
"""Factor between the places of models of equal cost, which would cover one another."""

NARROWEST, FEW_DECADES, MOST_DECADES = 0.8, 1.6, 4
"""Decades of a cost axis: the least, which has two labels of 1, 2, 5 and 10; the most with these
labels, above which only powers of ten have one; and the most that have one each."""


def plot_efficiency(
    efficiency: str | os.PathLike,
    measured: str | os.PathLike | None,
    dataset: str,
    titles: Mapping[str, str],
    title: str,
    paths: Paths,
) -> None:
    """Draw accuracy against every cost.

    Args:
        efficiency: ``efficiency.tsv``.
        measured: ``measured.tsv``; None without.
        dataset: Name of the data set.
        titles: Titles of the models by name.
        title: Titles of the data set and the protocol.
        paths: Figures to write.
    """
    table = read_ranked(efficiency, measured, dataset)
    style.save_figure(accuracy_and_cost(table, titles, title), paths)


@style.styled
def accuracy_and_cost(table: pd.DataFrame, titles: Mapping[str, str], title: str) -> Figure:
    """Draw one panel per cost: a marker with its interval per model, and the front.

    Members of the front have a black edge and are joined by a line; random backbones are hollow.

    Args:
        table: As :func:`blastfold.reporting.tables.efficiency.read_ranked` returns it.
        titles: Titles of the models by name.
        title: Title of the figure.
    """
    figure = Figure(figsize=(style.TWO_COLUMNS, 78 * style.MILLIMETRE))
    panels = figure.subplots(1, len(PANELS), sharey=True)
    for axes, (cost, (label, unit)) in zip(panels, PANELS.items(), strict=True):
        _draw_panel(axes, table.assign(cost=table[cost] / unit), f"front_{cost}", titles)
        axes.set_xlabel(label)
        axes.grid(axis="y")
    panels[0].set_ylabel(metric_title(table))
    if table["metric"].iloc[0] in FRACTIONS:
        style.set_percent_axis(panels[0])
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    joined = any((table[f"front_{cost}"] == 1).sum() > 1 for cost in PANELS)
    shown = [number for number, label in enumerate(labels) if joined or label != FRONT]
    handles, labels = ([kind[number] for number in shown] for kind in (handles, labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _draw_panel(axes, table: pd.DataFrame, front: str, titles: Mapping[str, str]) -> None:
    _set_cost_axis(axes, table["cost"])
    places = table["cost"] * ASIDE ** table.groupby("cost").cumcount()
    for number, (row, place) in enumerate(zip(table.to_dict("records"), places, strict=True)):
        random = bool(row["random_backbone"])
        colour = style.GREY if random else style.SERIES[number % len(style.SERIES)]
        ends = (row["value"] - row["lower"], row["upper"] - row["value"])
        name = titles[row["model"]]
        axes.errorbar(
            place,
            row["value"],
            yerr=None if np.isnan(ends).any() else np.clip([[ends[0]], [ends[1]]], 0, None),
            color=colour,
            marker=style.MARKERS[number % len(style.MARKERS)],
            markerfacecolor="white" if random else colour,
            markeredgecolor=style.BLACK if row[front] else colour,
            markersize=5,
            linestyle="none",
            elinewidth=0.9,
            capsize=2,
            label=style.wrap(name, 50, 2),
        )
    members = table.assign(place=places)[table[front] == 1].sort_values(["place", "value"])
    look = {"color": style.BLACK, "linewidth": 0.9, "linestyle": "--", "zorder": 1}
    axes.step(members["place"], members["value"], where="post", label=FRONT, **look)


def _set_cost_axis(axes, costs: pd.Series) -> None:
    """Set a logarithmic axis around the costs, with as many labels as have room side by side."""
    measured = costs.dropna()
    if measured.empty:
        look = {"transform": axes.transAxes, "ha": "center", "color": style.GREY}
        axes.text(0.5, 0.5, "not measured", **look)
        axes.set_xticks([])
        return
    axes.set_xscale("log")
    ends = np.log10([measured.min(), measured.max() * ASIDE])
    room = max(0.12 * np.ptp(ends), (NARROWEST - np.ptp(ends)) / 2)
    axes.set_xlim(10 ** (ends[0] - room), 10 ** (ends[1] + room))
    steps = (1, 2, 5) if np.ptp(ends) <= FEW_DECADES else (1,)
    axes.xaxis.set_major_locator(LogLocator(subs=steps, numticks=MOST_DECADES))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:g}"))
    axes.xaxis.set_minor_locator(LogLocator(subs=range(2, 10), numticks=20))
    axes.xaxis.set_minor_formatter(NullFormatter())
