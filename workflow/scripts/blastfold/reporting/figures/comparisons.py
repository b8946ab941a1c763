"""Figures of model against model and of the protocol gap."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import POOLED
from blastfold.core.notes import FIRST_HIGHER, SECOND_HIGHER
from blastfold.reporting.figures import style
from blastfold.reporting.tables.comparisons import COMPARED_METRICS, read_recommended
from blastfold.reporting.tables.results import read_metrics
from blastfold.reporting.tables.writing import MINUS, heading_of

Paths = Iterable[str | os.PathLike]

GAP_METRICS = ("accuracy", "auc")


def plot_differences(
    comparisons: str | os.PathLike, titles: Mapping[str, str], title: str, paths: Paths
) -> None:
    """Draw the differences of all pairs of models with their intervals.

    Args:
        comparisons: ``comparisons.tsv`` of one protocol.
        titles: Titles of the models by name.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    style.save_figure(differences(read_recommended(comparisons), titles, title), paths)


@style.styled
def differences(comparisons: pd.DataFrame, titles: Mapping[str, str], title: str) -> Figure:
    """Draw a forest plot: one line per pair of models, one panel per metric.

    Args:
        comparisons: As :func:`blastfold.reporting.tables.comparisons.read_recommended` returns it.
        titles: Titles of the models by name.
        title: Title of the figure.
    """
    names = comparisons[["first_model", "second_model"]].apply(tuple, axis=1)
    pairs = list(dict.fromkeys(names)) if len(comparisons) else []
    height = (32 + 8 * max(len(pairs), 1)) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    panels = figure.subplots(1, len(COMPARED_METRICS), sharey=True, sharex=True)
    for axes, metric in zip(panels, COMPARED_METRICS, strict=True):
        axes.axvline(0, color=style.BLACK, linewidth=0.7, zorder=1)
        rows = comparisons[comparisons["metric"] == metric].to_dict("records")
        for row in rows:
            _draw_difference(axes, row, pairs.index((row["first_model"], row["second_model"])))
        axes.set_title(heading_of(metric).removesuffix(" (%)"))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.xaxis.set_major_formatter(FuncFormatter(style.signed_points))
    labels = [
        f"{style.wrap(titles[first], 24, 1)}\n{MINUS} {style.wrap(titles[second], 24, 1)}"
        for first, second in pairs
    ]
    panels[0].set_yticks(range(len(pairs)), labels)
    panels[0].set_ylim(max(len(pairs), 1) - 0.5, -0.5)
    # The legend would cover a label of the figure; that of the middle panel is free.
    panels[len(panels) // 2].set_xlabel("Difference (points) with its interval")
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    for label, outcome in style.OUTCOMES.items():
        panels[0].errorbar([], [], label=label, linestyle="none", **_look(outcome))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def plot_protocol_gap(
    metrics: Paths,
    intervals: Paths,
    runs: Sequence[dict],
    title: str,
    paths: Paths,
) -> None:
    """Draw accuracy and AUC of every model under every protocol, a line for each model.

    Args:
        metrics: ``metrics.tsv`` of each run.
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with model, model_title, protocol,
            protocol_title and group_by.
        title: Title of the figure.
        paths: Figures to write.
    """
    rows = []
    for values, limits, run in zip(metrics, intervals, runs, strict=True):
        value, limit = (
            read_metrics(values).loc[POOLED],
            read_intervals(limits, GAP_METRICS).loc[POOLED],
        )
        for metric in GAP_METRICS:
            ends = {end: limit.at[metric, end] for end in ("lower", "upper")}
            rows.append(run | {"metric": metric, "value": value[metric]} | ends)
    style.save_figure(protocol_gap(pd.DataFrame(rows), title), paths)


@style.styled
def protocol_gap(rows: pd.DataFrame, title: str) -> Figure:
    """Draw a slope chart: protocols from left to right, one panel per metric.

    Args:
        rows: model, model_title, protocol, protocol_title, metric (accuracy or auc), value,
            lower and upper (fractions; NaN where undefined), protocols in the order in which
            they are shown.
        title: Title of the figure.
    """
    protocols = rows.drop_duplicates("protocol").set_index("protocol")["protocol_title"]
    models = rows.drop_duplicates("model").set_index("model")["model_title"]
    figure = Figure(figsize=(style.TWO_COLUMNS, 80 * style.MILLIMETRE))
    panels = figure.subplots(1, len(GAP_METRICS), sharey=True)
    step = min(0.09, 0.5 / len(models))
    for axes, metric in zip(panels, GAP_METRICS, strict=True):
        for order, (model, model_title) in enumerate(models.items()):
            chosen = rows[(rows["metric"] == metric) & (rows["model"] == model)]
            places = protocols.index.get_indexer(chosen["protocol"])
            shift = (order - (len(models) - 1) / 2) * step
            below, above = chosen["value"] - chosen["lower"], chosen["upper"] - chosen["value"]
            axes.errorbar(
                places + shift,
                chosen["value"],
                # An interval of the exact kind may touch the value; rounding must not cross it.
                yerr=np.clip([below, above], 0, None),
                color=style.SERIES[order % len(style.SERIES)],
                marker=style.MARKERS[order % len(style.MARKERS)],
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                linewidth=1,
                elinewidth=0.9,
                capsize=2,
                label=style.wrap(model_title, 60, 2),
            )
        width = int(56 / len(protocols))
        titles = [style.wrap(name, width) for name in protocols]
        axes.set_xticks(range(len(protocols)), titles)
        axes.set_xlim(-0.5, len(protocols) - 0.5)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(heading_of(metric))
        axes.yaxis.set_tick_params(labelleft=True)
        axes.grid(axis="y")
        style.set_percent_axis(axes)
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure


def _draw_difference(axes, row: dict, place: int) -> None:
    if np.isnan(row["difference"]):
        look = {"ha": "center", "va": "center", "color": style.GREY, "fontsize": 7}
        # A white ground, so that the line at 0 does not run through the word.
        axes.text(0, place, "undefined", backgroundcolor="white", **look)
        return
    reach = None
    if not np.isnan(row["lower"]):
        ends = (row["difference"] - row["lower"], row["upper"] - row["difference"])
        reach = np.clip(ends, 0, None)[:, np.newaxis]
    axes.errorbar(row["difference"], place, xerr=reach, linestyle="none", **_look(row["outcome"]))


def _look(outcome: str) -> dict:
    found = outcome in (FIRST_HIGHER, SECOND_HIGHER)
    colour = style.BLUE if found else style.GREY
    look = {"color": colour, "elinewidth": 1.2, "capsize": 2, "zorder": 3}
    return look | style.outcome_marker(outcome, colour)
