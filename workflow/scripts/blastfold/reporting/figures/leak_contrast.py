"""The figure of the leak in isolation next to the protocol gap."""

import os
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from blastfold.reporting.figures import style
from blastfold.reporting.tables.leak_contrast import GAP, LEAK, contrast_rows, gap_rows

Paths = Iterable[str | os.PathLike]

COLOURS = {LEAK: style.VERMILLION, GAP: style.GREY}
SUBTITLES = {
    LEAK: "with leak \N{MINUS SIGN} without, equal training sets",
    GAP: "one protocol \N{MINUS SIGN} the other, as they are",
}


def plot_leak_contrast(
    contrast: str | os.PathLike,
    gap: str | os.PathLike | None,
    titles: Mapping[str, Mapping[str, str]],
    gap_titles: Mapping[str, Mapping[str, str]],
    title: str,
    paths: Paths,
) -> None:
    """Draw the differences that leak and protocol make, with their intervals.

    Args:
        contrast: ``leak_contrast.tsv`` of the data set.
        gap: ``protocol_gap.tsv`` of the data set; None where no model has two protocols.
        titles: Titles by name under ``"model"`` and ``"contrast"``.
        gap_titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the data set.
        paths: Figures to write.
    """
    rows = [*contrast_rows(contrast, titles), *gap_rows(gap, gap_titles)]
    style.save_figure(differences(pd.DataFrame(rows), title), paths)


@style.styled
def differences(rows: pd.DataFrame, title: str) -> Figure:
    """Draw a forest plot: one panel per question, one line per model and comparison.

    Args:
        rows: question, model_title, compared, metric_title, difference, difference_lower and
            difference_upper (points; NaN where undefined).
        title: Title of the figure.
    """
    questions = [question for question in (LEAK, GAP) if (rows["question"] == question).any()]
    sizes = [int((rows["question"] == question).sum()) for question in questions]
    height = (16 + 22 * len(questions) + 9 * sum(sizes)) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    panels = figure.subplots(
        len(questions), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": sizes}
    )
    for axes, question in zip(panels.flat, questions, strict=True):
        _draw_question(axes, rows[rows["question"] == question], question)
    metric = rows["metric_title"].iloc[0]
    panels.flat[-1].set_xlabel(f"Difference (points) of the {metric} with its interval")
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    return figure


def _draw_question(axes, rows: pd.DataFrame, question: str) -> None:
    axes.axvline(0, color=style.BLACK, linewidth=0.7, zorder=1)
    for place, row in enumerate(rows.to_dict("records")):
        value, ends = row["difference"], (row["difference_lower"], row["difference_upper"])
        if np.isnan(value):
            look = {"ha": "center", "va": "center", "color": style.GREY, "fontsize": 7}
            axes.text(0, place, "undefined", backgroundcolor="white", **look)
            continue
        reach = None
        if not np.isnan(ends).any():
            reach = np.clip([[value - ends[0]], [ends[1] - value]], 0, None)
        look = {"color": COLOURS[question], "marker": "o", "markersize": 4.5, "capsize": 2}
        axes.errorbar(value, place, xerr=reach, linestyle="none", elinewidth=1.2, **look)
    labels = [
        f"{style.wrap(row['model_title'], 30, 1)}\n{style.wrap(row['compared'], 42, 2)}"
        for row in rows.to_dict("records")
    ]
    axes.set_yticks(range(len(rows)), labels, fontsize=6.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_title(f"{question} ({SUBTITLES[question]})", loc="left")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda points, place: style.signed_points(points / 100, place))
    )
