"""Figures of an ablation: the effect of each choice, all combinations, learning curves."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from blastfold.core.names import MACRO_AUC
from blastfold.reporting.figures import style
from blastfold.reporting.figures.readings import panel_heading, within_sentence
from blastfold.reporting.tables.ablation import read_table, shown_effects
from blastfold.reporting.tables.writing import MINUS

Paths = Iterable[str | os.PathLike]
Split = tuple[str, str]

DRAWN = ("auc", "accuracy")
"""The metrics of the figures; the tables have the others."""

DRAWN_OVER_CLASSES = (MACRO_AUC, DRAWN[1])
"""Those where every data set has more than two classes, and their macro AUC is compared."""


def plot_effects(
    effects: str | os.PathLike,
    cells: str | os.PathLike,
    titles: Mapping[str, Mapping],
    title: str,
    paths: Paths,
) -> None:
    """Draw the effect of each choice of an ablation, and its combinations.

    Args:
        effects: ``effects.tsv`` of the ablation.
        cells: ``cells.tsv`` of the ablation.
        titles: Titles by name under ``"dataset"``, ``"protocol"`` and ``"factor"``, and by
            factor and level under ``"level"``.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    figure = effects_figure(shown_effects(effects), read_table(cells), titles, title)
    style.save_figure(figure, paths)


@style.styled
def effects_figure(
    effects: pd.DataFrame, cells: pd.DataFrame, titles: Mapping[str, Mapping], title: str
) -> Figure:
    """Draw one line per choice: all combinations with it, and its difference to the reference.

    Args:
        effects: Contents of ``effects.tsv``.
        cells: Contents of ``cells.tsv``.
        titles: As for :func:`plot_effects`.
        title: Title of the figure.
    """
    pairs = effects[["factor", "level", "reference"]].drop_duplicates()
    levels, contrasts, ticks = _places(titles, [tuple(pair) for pair in pairs.to_numpy()])
    splits = list(dict.fromkeys(zip(effects["dataset"], effects["protocol"], strict=True)))
    lines = max(place for place, *_ in ticks) + 1
    height = (30 + lines * (4.5 + 2.2 * (len(splits) - 1))) * style.MILLIMETRE
    figure = Figure(figsize=(style.TWO_COLUMNS, height))
    metrics = drawn_metrics(effects)
    panels = figure.subplots(1, 2 * len(DRAWN), sharey=True, width_ratios=[1, 1.25] * len(DRAWN))
    for metric, (cells_axes, forest) in zip(metrics, np.reshape(panels, (-1, 2)), strict=True):
        for order, split in enumerate(splits):
            shift = 0.5 * (order - (len(splits) - 1) / 2) / len(splits)
            colour = style.SERIES[order % len(style.SERIES)]
            shown = _of_split(cells, split, metric)
            for (factor, level), place in levels.items():
                values = shown.loc[shown[factor] == level, "value"]
                _draw_cells(cells_axes, values, place + shift, colour)
            for row in _of_split(effects, split, metric).to_dict("records"):
                place = contrasts[row["factor"], row["level"], row["reference"]]
                _draw_effect(forest, row, place + shift, colour)
        _dress(cells_axes, forest, panel_heading(metric, metrics), titles, levels)
    _label_lines(panels[0], ticks)
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    _explain(figure, panels, splits, titles)
    return figure


def plot_learning_curve(
    curve: str | os.PathLike, titles: Mapping[str, Mapping], title: str, paths: Paths
) -> None:
    """Draw a model's results by the training groups that it learnt from.

    Args:
        curve: ``learning_curve.tsv`` of the ablation.
        titles: Titles by name under ``"dataset"`` and ``"protocol"``.
        title: Title of the figure.
        paths: Figures to write.
    """
    style.save_figure(learning_curve(read_table(curve), titles, title), paths)


@style.styled
def learning_curve(curve: pd.DataFrame, titles: Mapping[str, Mapping], title: str) -> Figure:
    """Draw a line for each data set and protocol, one panel per metric.

    Args:
        curve: Contents of ``learning_curve.tsv``.
        titles: As for :func:`plot_learning_curve`.
        title: Title of the figure.
    """
    splits = list(dict.fromkeys(zip(curve["dataset"], curve["protocol"], strict=True)))
    figure = Figure(figsize=(style.TWO_COLUMNS, 72 * style.MILLIMETRE))
    metrics = drawn_metrics(curve)
    panels = figure.subplots(1, len(metrics))
    for axes, metric in zip(panels, metrics, strict=True):
        for order, split in enumerate(splits):
            rows = _of_split(curve, split, metric).sort_values("training_groups")
            reach = np.clip([rows["value"] - rows["lower"], rows["upper"] - rows["value"]], 0, None)
            axes.errorbar(
                rows["training_groups"],
                rows["value"],
                yerr=reach,
                color=style.SERIES[order % len(style.SERIES)],
                marker=style.MARKERS[order % len(style.MARKERS)],
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                elinewidth=0.9,
                capsize=2.5,
                label=style.wrap(_split_title(split, titles), 60, 1),
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("Leakage groups trained on (mean of folds)")
        axes.set_ylabel(panel_heading(metric, metrics))
        axes.grid(axis="y")
        style.set_percent_axis(axes)
    figure.suptitle(style.wrap(f"{title}: learning curve", 100), fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 2))
    return figure


def _places(
    titles: Mapping[str, Mapping], pairs: Sequence[tuple[str, str, str]]
) -> tuple[dict, dict, list[tuple[int, str, bool]]]:
    """Give every level and every comparison a line, below a line with its factor's title.

    A comparison with the reference is on its level's line, any other on its own line.

    Returns:
        Lines of the levels, lines of the comparisons, and the labels of all lines: number, text
        and whether it is a factor's title.
    """
    levels, contrasts, labels = {}, {}, []
    for factor, factor_title in titles["factor"].items():
        of_factor = titles["level"][factor]
        reference = next(iter(of_factor))
        labels.append((len(labels), factor_title, True))
        for level, level_title in of_factor.items():
            levels[factor, level] = contrasts[factor, level, reference] = len(labels)
            labels.append((len(labels), level_title, False))
        for pair in pairs:
            if pair[0] == factor and pair not in contrasts:
                contrasts[pair] = len(labels)
                text = f"{of_factor[pair[1]]} {MINUS} {of_factor[pair[2]]}"
                labels.append((len(labels), text, False))
    return levels, contrasts, labels


def drawn_metrics(table: pd.DataFrame) -> tuple[str, str]:
    """Return the metrics that a figure of effects or of a learning curve shows."""
    splits = table[["dataset", "protocol"]].drop_duplicates()
    over = table.loc[table["metric"] == MACRO_AUC, ["dataset", "protocol"]].drop_duplicates()
    return DRAWN_OVER_CLASSES if len(over) == len(splits) else DRAWN


def _of_split(table: pd.DataFrame, split: Split, metric: str) -> pd.DataFrame:
    chosen = (table["dataset"] == split[0]) & (table["protocol"] == split[1])
    return table[chosen & (table["metric"] == metric)]


def _draw_cells(axes: Axes, values: pd.Series, place: float, colour: str) -> None:
    look = {"s": 11, "color": colour, "alpha": 0.4, "linewidths": 0, "zorder": 2}
    axes.scatter(values, np.full(len(values), place), **look)
    if values.notna().any():
        axes.scatter(values.mean(), place, marker="|", s=55, color=colour, linewidths=1.6, zorder=3)


def _draw_effect(axes: Axes, row: dict, place: float, colour: str) -> None:
    if np.isnan(row["difference"]):
        look = {"ha": "center", "va": "center", "color": style.GREY, "fontsize": 6.5}
        axes.text(0, place, "undefined", backgroundcolor="white", **look)
        return
    reach = None
    if not np.isnan(row["lower"]):
        ends = (row["difference"] - row["lower"], row["upper"] - row["difference"])
        reach = np.clip(ends, 0, None)[:, np.newaxis]
    axes.errorbar(row["difference"], place, xerr=reach, **_look(colour, row["outcome"]))


def _look(colour: str, outcome: str) -> dict:
    look = {"color": colour, "linestyle": "none", "elinewidth": 1.1, "capsize": 1.8, "zorder": 3}
    return look | style.outcome_marker(outcome, colour)


def _dress(cells_axes: Axes, forest: Axes, name: str, titles: Mapping, levels: Mapping) -> None:
    cells_axes.set_title("All combinations")
    cells_axes.set_xlabel(name.replace(", ", ",\n"))
    style.set_percent_axis(cells_axes, "x")
    plain = name.removesuffix(" (%)")
    forest.set_title(f"Difference in {within_sentence(plain)}".replace(", ", ",\n"))
    forest.set_xlabel("Points, 95 % interval")
    forest.xaxis.set_major_formatter(FuncFormatter(style.signed_points))
    forest.axvline(0, color=style.BLACK, linewidth=0.7, zorder=1)
    for factor in titles["factor"]:
        place = levels[factor, next(iter(titles["level"][factor]))]
        forest.annotate(
            "reference",
            (0, place),
            (4, 0),
            textcoords="offset points",
            va="center",
            color=style.GREY,
            fontsize=6.5,
        )
    for axes in (cells_axes, forest):
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)


def _label_lines(axes: Axes, ticks: Sequence[tuple[int, str, bool]]) -> None:
    axes.set_yticks([line for line, *_ in ticks], [style.wrap(text, 36, 1) for _, text, _ in ticks])
    for label, (_, _, is_factor) in zip(axes.get_yticklabels(), ticks, strict=True):
        label.set_fontweight("bold" if is_factor else "normal")
    axes.set_ylim(len(ticks) - 0.4, -0.5)


def _explain(figure: Figure, panels: Sequence[Axes], splits: Sequence[Split], titles) -> None:
    axes = panels[1]
    if len(splits) > 1:
        for order, split in enumerate(splits):
            colour = style.SERIES[order % len(style.SERIES)]
            text = style.wrap(_split_title(split, titles), 60, 1)
            axes.plot([], [], color=colour, linewidth=3, label=text)
    neutral = style.SERIES[0] if len(splits) == 1 else style.BLACK
    for label, outcome in style.OUTCOMES.items():
        axes.errorbar([], [], label=label, **_look(neutral, outcome))
    panels[0].scatter(
        [], [], marker="|", s=55, color=neutral, linewidths=1.6, label="Mean of combinations"
    )
    handles, labels = axes.get_legend_handles_labels()
    means, mean_labels = panels[0].get_legend_handles_labels()
    figure.legend(handles + means, labels + mean_labels, loc="outside lower center", ncols=3)


def _split_title(split: Split, titles: Mapping[str, Mapping]) -> str:
    dataset, protocol = split
    return f"{titles['dataset'][dataset]}, {titles['protocol'][protocol]}"
