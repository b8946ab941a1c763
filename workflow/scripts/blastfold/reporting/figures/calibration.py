"""Figures of calibration: reliability diagrams and risk-coverage curves."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.class_tables import VECTOR
from blastfold.core.names import AFTER, BEFORE, PLATT, POOLED
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.figures.evaluation import draw_curves, legend_below, square_axes

Paths = Iterable[str | os.PathLike]


LOOKS = {
    BEFORE: {"color": style.BLUE, "marker": "o", "label": "Before"},
    AFTER: {"color": style.VERMILLION, "marker": "s", "label": "After temperature scaling"},
    PLATT: {"color": style.GREEN, "marker": "^", "label": "After Platt scaling"},
    VECTOR: {"color": style.PURPLE, "marker": "D", "label": "After vector scaling"},
}
"""States of the probabilities; two classes have Platt scaling, more have vector scaling."""

SHIFT = {BEFORE: -0.01, AFTER: 0.0, PLATT: 0.01, VECTOR: 0.01}
"""Points of the states are this far apart, so that none hides the interval of another."""

MODELS_ABREAST = 3


class Layout(NamedTuple):
    """Measures of a grid of reliability diagrams.

    Attributes:
        abreast: Diagrams in a row, at most.
        width, height: Of a diagram with its histogram, mm; a row is two journal columns wide at
            most.
        title_size: Size of the title of a diagram, points.
        label_size: Size of the labels of its axes, points.
        named: Whether the axes of each diagram name the class; otherwise its title does.
        joined: Whether lines join the points.
        marker_size: Size of a point, points.
        intervals: States whose points have intervals.
    """

    abreast: int
    width: float
    height: float
    title_size: float
    label_size: float = 8
    named: bool = True
    joined: bool = True
    marker_size: float = 3
    intervals: tuple[str, ...] = tuple(LOOKS)


SETTLED = 0.2
"""The axis of risk has room for every error from this coverage on."""


def plot_probabilities(
    stored: Mapping[str, Paths], models: Sequence[str], title: str, outputs: Mapping[str, Paths]
) -> None:
    """Draw how far the probabilities of the models under one protocol can be trusted.

    Args:
        stored: One file of each model by kind: reliabilities, calibrations, risk_coverage.
        models: Title of each model, in the same order.
        title: Title of the figures.
        outputs: Figures to write by name: reliability, risk_coverage.
    """
    about = (models, title)
    plot_calibration(
        stored["reliabilities"], stored["calibrations"], *about, outputs["reliability"]
    )
    plot_risk_coverage(stored["risk_coverage"], *about, outputs["risk_coverage"])


def plot_calibration(
    reliabilities: Paths, calibrations: Paths, models: Sequence[str], title: str, paths: Paths
) -> None:
    """Draw the reliability diagrams of all models under one protocol.

    Args:
        reliabilities: ``reliability.tsv`` of each model.
        calibrations: ``calibration.tsv`` of each model.
        models: Title of each model, in the same order.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    bins = [read_table(path) for path in reliabilities]
    errors = [read_table(path) for path in calibrations]
    style.save_figure(reliability(bins, errors, models, title), paths)


@style.styled
def reliability(
    bins: Sequence[pd.DataFrame],
    errors: Sequence[pd.DataFrame],
    models: Sequence[str],
    title: str,
) -> Figure:
    """Draw one reliability diagram per model, with the histogram of its probabilities below.

    Args:
        bins: scope, state, strategy, left, right, images, mean_probability, positive_share, lower,
            upper and positive_class of each model; the pooled bins of equal width are drawn.
        errors: ``calibration.tsv`` of each model.
        models: Title of each model.
        title: Title of the figure.
    """
    drawn = [table[(table["scope"] == POOLED) & (table["strategy"] == "width")] for table in bins]
    named = [style.side_names(["", table["positive_class"].iloc[0]])[1] for table in drawn]
    drawn = [table.assign(positive_class=name) for table, name in zip(drawn, named, strict=True)]
    headings = [
        f"{style.wrap(model, 30, lines=2)}\n{_error_text(error, table)}"
        for model, error, table in zip(models, errors, drawn, strict=True)
    ]
    layout = Layout(MODELS_ABREAST, width=75, height=82, title_size=7.5)
    return draw_diagrams(drawn, headings, title, layout)


def draw_diagrams(
    tables: Sequence[pd.DataFrame], headings: Sequence[str], title: str, layout: Layout
) -> Figure:
    """Draw a grid of reliability diagrams, each with the histogram of its probabilities below.

    Args:
        tables: state, left, right, images, mean_probability, positive_share, lower, upper and
            positive_class of each diagram.
        headings: Its title.
        title: Title of the figure.
        layout: Diagrams side by side, and their measures.
    """
    columns = min(len(tables), layout.abreast)
    blocks = math.ceil(len(tables) / layout.abreast)
    width = min(style.TWO_COLUMNS, columns * layout.width * style.MILLIMETRE)
    figure = Figure(figsize=(width, blocks * layout.height * style.MILLIMETRE + 0.5))
    grid = figure.subplots(
        2 * blocks, columns, squeeze=False, height_ratios=[3, 1] * blocks, sharex=True
    )
    for place in range(blocks * columns):
        row, column = 2 * (place // columns), place % columns
        diagram, histogram = grid[row, column], grid[row + 1, column]
        if place >= len(tables):
            diagram.set_axis_off()
            histogram.set_axis_off()
            continue
        _draw_diagram(diagram, tables[place], layout, leftmost=column == 0)
        _draw_histogram(histogram, tables[place], layout, leftmost=column == 0)
        diagram.set_title(headings[place], fontsize=layout.title_size)
    for axes in grid.flat:
        axes.tick_params(labelsize=min(layout.label_size, 7.5))
    figure.suptitle(style.wrap(title, 33 * min(columns, MODELS_ABREAST)), fontsize=8)
    figure.align_ylabels(grid[:, 0])
    pairs = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in grid.flat]
    shown = {label: handle for found in pairs for handle, label in found}
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=min(2 * columns, 4)
    )
    return figure


def plot_risk_coverage(curves: Paths, models: Sequence[str], title: str, paths: Paths) -> None:
    """Draw the risk-coverage curves of all models under one protocol.

    Args:
        curves: ``risk_coverage.tsv`` of each model.
        models: Title of each model, in the same order.
        title: Title of the figure.
        paths: Figures to write.
    """
    loaded = [read_table(path) for path in curves]
    style.save_figure(risk_coverage(loaded, models, title), paths)


@style.styled
def risk_coverage(curves: Sequence[pd.DataFrame], models: Sequence[str], title: str) -> Figure:
    """Draw the error of the images that each model is most certain of, by their share.

    Args:
        curves: scope, state, coverage and risk of each model; those before scaling are drawn.
        models: Title of each model.
        title: Title of the figure.
    """
    drawn = [curve[curve["state"] == BEFORE] for curve in curves]
    figure, axes = square_axes(title)
    legends = [
        f"{model}, mean error {100 * curve.loc[curve['scope'] == POOLED, 'risk'].mean():.1f} %"
        for model, curve in zip(models, drawn, strict=True)
    ]
    draw_curves(axes, drawn, legends, "coverage", "risk")
    # The first few images make jumps that would leave no room for the rest.
    settled = [curve.loc[curve["coverage"] >= SETTLED, "risk"].max() for curve in drawn]
    top = max(1.08 * max(settled), 0.05)
    axes.set_ylim(-0.02 * top, top)
    axes.set_xlabel("Coverage (most certain images, % of all)")
    axes.set_ylabel("Error among them (%)")
    legend_below(figure, axes, last=None)
    return figure


def _draw_diagram(axes: Axes, bins: pd.DataFrame, layout: Layout, *, leftmost: bool) -> None:
    axes.plot([0, 1], [0, 1], color=style.GREY, lw=0.8, ls=(0, (4, 3)), label="Perfect")
    for state, points in drawn_states(bins):
        look = LOOKS[state]
        share = points["positive_share"]
        # Rounding may put an end on the wrong side of its value by the last bit.
        reach = np.clip([share - points["lower"], points["upper"] - share], 0, None)
        axes.errorbar(
            points["mean_probability"] + SHIFT[state],
            share,
            reach if state in layout.intervals else None,
            lw=0.5 if layout.joined else 0,
            elinewidth=0.7,
            markersize=layout.marker_size,
            **look,
        )
        # A share of few images without an interval must not look like a measured one.
        alone = points[points["lower"].isna()]
        axes.plot(
            alone["mean_probability"] + SHIFT[state],
            alone["positive_share"],
            linestyle="none",
            markersize=layout.marker_size,
            markerfacecolor="white",
            # Above the filled marker of the line.
            zorder=3,
            **{**look, "label": "_no interval"},
        )
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.grid()
    style.set_percent_axis(axes)
    if leftmost:
        of_class = f" of {bins['positive_class'].iloc[0]}" if layout.named else ""
        axes.set_ylabel(f"Share{of_class} (%)", fontsize=layout.label_size)


def drawn_states(bins: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each state with its bins; one that changes nothing is left out."""
    for state in LOOKS:
        points = bins[bins["state"] == state]
        if state == BEFORE or (len(points) and not _is_unchanged(bins, state)):
            yield state, points


def _is_unchanged(bins: pd.DataFrame, state: str) -> bool:
    """Return whether nothing was fitted, so that a state has the bins of the one before."""
    columns = ["images", "mean_probability"]
    values, given = (bins.loc[bins["state"] == name, columns] for name in (state, BEFORE))
    return values.shape == given.shape and bool(np.allclose(values, given))


def _draw_histogram(axes: Axes, bins: pd.DataFrame, layout: Layout, *, leftmost: bool) -> None:
    for state, points in drawn_states(bins):
        look = LOOKS[state]
        share = points["images"] / points["images"].sum()
        before = state == BEFORE
        axes.bar(
            points["left"],
            share,
            points["right"] - points["left"],
            align="edge",
            facecolor=look["color"] if before else "none",
            alpha=0.35 if before else 1,
            edgecolor="none" if before else look["color"],
            lw=0.8,
        )
    style.set_percent_axis(axes)
    style.set_percent_axis(axes, "x")
    axes.tick_params(labelbottom=True)
    of_class = f" of {bins['positive_class'].iloc[0]}" if layout.named else ""
    axes.set_xlabel(f"Probability{of_class} (%)", fontsize=layout.label_size)
    if leftmost:
        axes.set_ylabel("Images (%)", fontsize=layout.label_size)


def _error_text(errors: pd.DataFrame, bins: pd.DataFrame) -> str:
    pooled = errors[errors["scope"] == POOLED].iloc[0]
    name = "calibration_error_width"
    limits = "no interval"
    if pd.notna(pooled[f"{name}_lower"]):
        limits = f"{pooled[f'{name}_lower']:.3f} to {pooled[f'{name}_upper']:.3f}"
    changed = f"temperature {pooled[f'{name}_after']:.3f}, Platt {pooled[f'{name}_platt']:.3f}"
    if all(_is_unchanged(bins, state) for state in (AFTER, PLATT)):
        changed = "no temperature, no Platt scaling"
    reference = f"{pooled[f'{name}_expected']:.3f}, 95 % below {pooled[f'{name}_percentile']:.3f}"
    return f"ECE {pooled[name]:.3f} ({limits})\nif calibrated {reference}\n{changed}"
