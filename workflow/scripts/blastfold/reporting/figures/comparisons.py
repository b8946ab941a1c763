"""Figures of model against model and of the protocol gap."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from blastfold.core.notes import FIRST_HIGHER, SECOND_HIGHER
from blastfold.reporting.figures import style
from blastfold.reporting.figures.readings import drawn_metrics, panel_heading
from blastfold.reporting.tables.comparisons import (
    COMPARED_METRICS,
    read_recommended,
    training_sizes,
)
from blastfold.reporting.tables.writing import MINUS

Paths = Iterable[str | os.PathLike]

GAP_METRICS = ("accuracy", "auc")

FAR = {"ha": "right", "va": "bottom", "fontsize": 6, "color": style.GREY, "xytext": (0, 3)} | {
    "textcoords": "offset points"
}
"""Look of the images that a difference is about."""


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
    metrics = drawn_metrics(comparisons["metric"], COMPARED_METRICS)
    panels = figure.subplots(1, len(metrics), sharey=True, sharex=True)
    for axes, metric in zip(panels, metrics, strict=True):
        axes.axvline(0, color=style.BLACK, linewidth=0.7, zorder=1)
        rows = comparisons[comparisons["metric"] == metric].to_dict("records")
        for row in rows:
            _draw_difference(axes, row, pairs.index((row["first_model"], row["second_model"])))
        axes.set_title(panel_heading(metric, metrics, percent=False).replace(", ", ",\n"))
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
    gap: str | os.PathLike,
    folds: Paths,
    titles: Mapping[str, Mapping[str, str]],
    title: str,
    paths: Paths,
) -> None:
    """Draw what the protocol adds to accuracy and AUC of every model.

    Args:
        gap: ``protocol_gap.tsv`` of the data set.
        folds: Table of folds of each of its protocols.
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the figure.
        paths: Figures to write.
    """
    rows = read_recommended(gap)
    figure = protocol_gap(rows, titles, training_sizes(folds), title)
    style.save_figure(figure, paths)


@style.styled
def protocol_gap(
    rows: pd.DataFrame,
    titles: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, str],
    title: str,
) -> Figure:
    """Draw a forest plot of paired differences: one line per model and pair of protocols.

    Args:
        rows: As :func:`blastfold.reporting.tables.comparisons.read_recommended` returns them.
        titles: Titles by name under ``"model"`` and ``"protocol"``.
        sizes: Training images of each protocol in words.
        title: Title of the figure.
    """
    keys = ["first_protocol", "second_protocol", "model"]
    lines = list(dict.fromkeys(rows[keys].itertuples(index=False, name=None)))
    pairs = list(dict.fromkeys(line[:2] for line in lines))
    headings = [_pair_text(pair, titles["protocol"], sizes) for pair in pairs]
    height = 34 + 5 * len(headings) + 9 * max(len(lines), 1)
    figure = Figure(figsize=(style.TWO_COLUMNS, height * style.MILLIMETRE))
    metrics = drawn_metrics(rows["metric"], GAP_METRICS)
    panels = figure.subplots(1, len(metrics), sharey=True, sharex=True)
    for axes, metric in zip(panels, metrics, strict=True):
        axes.axvline(0, color=style.BLACK, linewidth=0.7, zorder=1)
        for row in rows[rows["metric"] == metric].to_dict("records"):
            place = lines.index(tuple(row[key] for key in keys))
            _draw_difference(axes, row, place)
            axes.annotate(_images_text(row), (1, place), xycoords=("axes fraction", "data"), **FAR)
        axes.set_title(panel_heading(metric, metrics, percent=False).replace(", ", ",\n"))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.xaxis.set_major_formatter(FuncFormatter(style.signed_points))
        axes.set_xlabel("Difference (points)")
    labels = [
        style.wrap(titles["model"][model], 26, 2)
        + (f" ({pairs.index((first, second)) + 1})" if len(pairs) > 1 else "")
        for first, second, model in lines
    ]
    panels[0].set_yticks(range(len(lines)), labels)
    panels[0].set_ylim(max(len(lines), 1) - 0.5, -0.5)
    numbered = [f"({place}) {text}" for place, text in enumerate(headings, start=1)]
    shown = headings if len(headings) == 1 else numbered
    figure.suptitle("\n".join([style.wrap(title, 100), *shown]), fontsize=8)
    for label, outcome in style.OUTCOMES.items():
        panels[0].errorbar([], [], label=label, linestyle="none", **_look(outcome))
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _pair_text(pair: Sequence[str], titles: Mapping[str, str], sizes: Mapping[str, str]) -> str:
    first, second = (
        f"{style.wrap(titles[name], 40, 1)} ({sizes[name]} training images)" for name in pair
    )
    return f"{first} {MINUS} {second}"


def _images_text(row: Mapping) -> str:
    if row["view"] == "common images":
        return f"same {row['common_images']} images"
    return f"{row['first_images']} and {row['second_images']} images"


def _draw_difference(axes, row: dict, place: int) -> None:
    if np.isnan(row["difference"]):
        look = {"ha": "center", "va": "center", "color": style.GREY, "fontsize": 7}
        # A white ground, so that the line at 0 does not run through the word.
        axes.text(0, place, "undefined", backgroundcolor="white", **look)
        return
    reach = None
    if not np.isnan(row["lower"]):
        # Cut where the tables cut them: no difference is larger than 100 points.
        lower, upper = max(row["lower"], -1.0), min(row["upper"], 1.0)
        ends = (row["difference"] - lower, upper - row["difference"])
        reach = np.clip(ends, 0, None)[:, np.newaxis]
    axes.errorbar(row["difference"], place, xerr=reach, linestyle="none", **_look(row["outcome"]))


def _look(outcome: str) -> dict:
    found = outcome in (FIRST_HIGHER, SECOND_HIGHER)
    colour = style.BLUE if found else style.GREY
    look = {"color": colour, "elinewidth": 1.2, "capsize": 2, "zorder": 3}
    return look | style.outcome_marker(outcome, colour)
