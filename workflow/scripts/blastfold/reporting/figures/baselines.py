"""The figure of networks next to trivial baselines."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import BASELINES, FIRST_BASELINE, POOLED
from blastfold.core.notes import note_codes
from blastfold.reporting.figures import style
from blastfold.reporting.figures.readings import panel_heading
from blastfold.reporting.tables.baselines import NOT_ABOVE, read_differences, shown_metric

Paths = Iterable[str | os.PathLike]

PANELS = 3
"""Panels in one row at most."""

LOOKS = {
    "Network, above the mean colour": {"color": style.BLUE, "marker": "o"},
    "Network, not shown to be above the mean colour": {
        "color": style.VERMILLION,
        "marker": "o",
        "markerfacecolor": "white",
    },
    "Trivial baseline": {"color": style.GREY, "marker": "D"},
}
"""The looks of marks, by what they say."""

ABOVE, NOT_SHOWN, TRIVIAL = LOOKS


def plot_baselines(
    intervals: Paths,
    runs: Sequence[dict],
    differences: Paths,
    protocols: Mapping[str, str],
    title: str,
    paths: Paths,
) -> None:
    """Draw the AUC of every network and of every trivial baseline, one panel per protocol.

    Of more than two classes it is the macro AUC.

    Args:
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with protocol, model and model_title; the
            model of a baseline is its name.
        differences: ``differences.tsv`` of each protocol.
        protocols: Titles of the protocols by name, in the same order.
        title: Title of the data set.
        paths: Figures to write.
    """
    doubtful, tables = set(), [read_differences(path) for path in differences]
    metric = shown_metric(pd.concat(tables))
    for table, protocol in zip(tables, protocols, strict=True):
        table = table.query("baseline == @FIRST_BASELINE and metric == @metric")
        marked = table["note"].map(note_codes).map(lambda codes: NOT_ABOVE in codes)
        doubtful |= {(protocol, model) for model in table.loc[marked, "model"]}
    rows = []
    for path, run in zip(intervals, runs, strict=True):
        limits = read_intervals(path, (metric,)).loc[POOLED].loc[metric]
        look = TRIVIAL
        if run["model"] not in BASELINES:
            look = NOT_SHOWN if (run["protocol"], run["model"]) in doubtful else ABOVE
        numbers = {name: float(limits[name]) for name in ("value", "lower", "upper")}
        rows.append(run | numbers | {"look": look})
    figure = baselines(pd.DataFrame(rows), protocols, title, panel_heading(metric, [metric]))
    style.save_figure(figure, paths)


@style.styled
def baselines(
    rows: pd.DataFrame, protocols: Mapping[str, str], title: str, axis: str = "AUC (%)"
) -> Figure:
    """Draw a dot with its interval for each network and baseline.

    Args:
        rows: protocol, model, model_title, value, lower, upper (fractions, NaN where undefined) and
            look, a key of :data:`LOOKS`.
        protocols: Titles of the protocols by name.
        title: Title of the figure.
        axis: The metric.
    """
    models = rows.drop_duplicates("model").set_index("model")["model_title"]
    models = models[[*models.index.drop(list(BASELINES), errors="ignore"), *BASELINES]]
    lines = -(-len(protocols) // PANELS)
    height = (24 + lines * (12 + 6.5 * len(models))) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    columns = min(len(protocols), PANELS)
    grid = figure.subplots(lines, columns, sharey=True, sharex=True, squeeze=False)
    for axes in grid.flat[len(protocols) :]:
        axes.set_visible(False)
    for axes, (protocol, name) in zip(grid.flat, protocols.items(), strict=False):
        _draw_protocol(axes, rows[rows["protocol"] == protocol], models)
        axes.set_title(style.wrap(name, 120 // columns))
        axes.set_xlabel(axis)
    grid[0, 0].set_yticks(range(len(models)), [style.wrap(text, 34, 1) for text in models])
    grid[0, 0].set_ylim(len(models) - 0.5, -0.5)
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    for label, look in LOOKS.items():
        if label in set(rows["look"]):
            grid[0, 0].errorbar([], [], label=label, linestyle="none", **look)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _draw_protocol(axes, rows: pd.DataFrame, models: pd.Series) -> None:
    colour = rows.loc[rows["model"] == FIRST_BASELINE, "value"]
    for value in colour.dropna():
        axes.axvline(value, color=style.GREY, linewidth=0.8, linestyle="--", zorder=1)
    axes.axvline(0.5, color=style.BLACK, linewidth=0.6, zorder=1)
    for row in rows.to_dict("records"):
        place = models.index.get_loc(row["model"])
        if np.isnan(row["value"]):
            look = {"va": "center", "ha": "center", "color": style.GREY, "fontsize": 7}
            axes.text(0.5, place, "unknown", backgroundcolor="white", **look)
            continue
        ends = np.array([[row["value"] - row["lower"]], [row["upper"] - row["value"]]])
        reach = None if np.isnan(ends).any() else np.clip(ends, 0, None)
        look = {"markersize": 4.5, "elinewidth": 1.1, "capsize": 2, "zorder": 3}
        axes.errorbar(
            row["value"], place, xerr=reach, linestyle="none", **look, **LOOKS[row["look"]]
        )
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.set_percent_axis(axes, "x")
