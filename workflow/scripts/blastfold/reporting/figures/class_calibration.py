"""Figures of calibration with more than two classes: one diagram per class, and risk-coverage."""

import math
import os
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.class_tables import (
    CALIBRATION_COLUMNS,
    RELIABILITY_COLUMNS,
    RISK_COLUMNS,
    VECTOR,
)
from blastfold.core.names import AFTER, BEFORE, POOLED
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.figures.calibration import (
    SETTLED,
    Layout,
    draw_diagrams,
    drawn_states,
)
from blastfold.reporting.figures.evaluation import draw_curves

Paths = Iterable[str | os.PathLike]

MOST_DIAGRAMS = 15
"""Of more classes those with the most images are drawn."""

PANELS = 2
"""Panels of risk-coverage curves in a row, at most."""

STATE_WORDS = {AFTER: "scaled", VECTOR: "vector"}
"""What was fitted, in the title of a diagram: one temperature, or vector scaling."""

FEW = 6
"""Up to so many diagrams are large."""


def plot_class_calibration(
    reliability: str | os.PathLike, calibration: str | os.PathLike, title: str, paths: Paths
) -> None:
    """Draw how reliable the probability of each class is.

    Args:
        reliability: ``class_reliability.tsv`` of the run.
        calibration: ``class_calibration.tsv`` of the run.
        title: Titles of its data set, protocol and model.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    bins = read_table(reliability, RELIABILITY_COLUMNS, text=("class",))
    errors = read_table(calibration, CALIBRATION_COLUMNS, text=("class",))
    style.save_figure(class_calibration(bins, errors, title), paths)


@style.styled
def class_calibration(bins: pd.DataFrame, errors: pd.DataFrame, title: str) -> Figure:
    """Draw one reliability diagram per class, with the histogram of its probabilities below.

    Args:
        bins: Contents of ``class_reliability.tsv``; the pooled bins are drawn.
        errors: Contents of ``class_calibration.tsv``.
        title: Title of the figure.
    """
    bins = bins[bins["scope"] == POOLED].rename(columns={"class": "positive_class"})
    images = bins["images"] * bins["positive_share"]
    images = images[bins["state"] == BEFORE].groupby(bins["positive_class"], sort=False).sum()
    shown = images.round().nlargest(MOST_DIAGRAMS).index
    classes = [name for name in images.index if name in shown]
    tables = [bins[bins["positive_class"] == name] for name in classes]
    pooled = errors[errors["scope"] == POOLED].set_index(["class", "state"])["calibration_error"]
    layout = _layout(len(classes))
    letters = 110 // layout.abreast
    headings = [
        f"{style.wrap(name, letters, 2)} ({round(images[name]):,})\n{_errors(pooled[name], table)}"
        for name, table in zip(classes, tables, strict=True)
    ]
    left_out = len(images) - len(classes)
    some = "class" if left_out == 1 else f"{left_out} classes"
    more = f" (without the {some} with the fewest images)" if left_out else ""
    return draw_diagrams(tables, headings, title + more, layout)


def _layout(classes: int) -> Layout:
    """Return two to five diagrams in a row; small ones have the intervals of one state alone."""
    look = {"named": False, "joined": False}
    if classes <= FEW:
        abreast = 2 if classes == 4 else 3
        return Layout(abreast, width=75, height=68, title_size=7, label_size=7.5, **look)
    look |= {"marker_size": 2.4, "intervals": (BEFORE,)}
    if classes <= 12:
        return Layout(4, width=45, height=60, title_size=6.2, label_size=6.5, **look)
    return Layout(5, width=36, height=58, title_size=5.8, label_size=6, **look)


def _errors(errors: pd.Series, bins: pd.DataFrame) -> str:
    """Return the calibration errors of one class: before, and what was fitted in a second line."""
    changed = [state for state, _ in drawn_states(bins) if state != BEFORE]
    texts = [f"{STATE_WORDS[state]} {errors[state]:.3f}" for state in changed]
    return f"ECE {errors[BEFORE]:.3f}\n{', '.join(texts) or 'nothing fitted'}"


def plot_class_risk_coverage(
    curves: Paths, runs: Sequence[Mapping[str, str]], title: str, paths: Paths
) -> None:
    """Draw the risk-coverage curves over all classes of every run on one data set.

    Args:
        curves: ``class_risk_coverage.tsv`` of each run.
        runs: For each run, in the same order, protocol, protocol_title and model_title.
        title: Title of the data set.
        paths: Figures to write.
    """
    tables = [read_table(path, RISK_COLUMNS) for path in curves]
    style.save_figure(class_risk_coverage(tables, runs, title), paths)


@style.styled
def class_risk_coverage(
    curves: Sequence[pd.DataFrame], runs: Sequence[Mapping[str, str]], title: str
) -> Figure:
    """Draw the error of the images that each model is most certain of, one panel per protocol.

    Args:
        curves: Contents of ``class_risk_coverage.tsv`` of each run.
        runs: As :func:`plot_class_risk_coverage` takes them.
        title: Title of the figure.
    """
    protocols = {run["protocol"]: run["protocol_title"] for run in runs}
    models = list(dict.fromkeys(run["model_title"] for run in runs))
    columns, rows = min(PANELS, len(protocols)), math.ceil(len(protocols) / PANELS)
    width = style.ONE_COLUMN if columns == 1 else style.TWO_COLUMNS
    height = (8 + rows * (78 + 4 * len(models))) * style.MILLIMETRE
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(protocols) :]:
        axes.set_visible(False)
    for axes, (protocol, heading) in zip(grid.flat, protocols.items(), strict=False):
        of_model = {
            run["model_title"]: curve
            for curve, run in zip(curves, runs, strict=True)
            if run["protocol"] == protocol
        }
        _draw_risk(axes, [of_model.get(model, curves[0][:0]) for model in models], models)
        axes.set_title(style.wrap(heading, 48))
    settled = [curve.loc[curve["coverage"] >= SETTLED, "risk"].max() for curve in curves]
    top = max(1.08 * max(settled), 0.05)
    grid[0, 0].set_ylim(-0.02 * top, top)
    figure.suptitle(style.wrap(title, 48 * columns), fontsize=8)
    return figure


def _draw_risk(axes: Axes, curves: Sequence[pd.DataFrame], models: Sequence[str]) -> None:
    """Draw the curves of one protocol; a model that it does not have keeps its colour free."""
    legends = [
        # Matplotlib leaves out of the legend what begins with an underscore.
        "_absent" if curve.empty else f"{model}, mean error {_mean_error(curve)}"
        for curve, model in zip(curves, models, strict=True)
    ]
    draw_curves(axes, curves, legends, "coverage", "risk")
    axes.set_xlim(-0.02, 1.02)
    axes.grid()
    axes.set_xlabel("Coverage (most certain images, % of all)")
    axes.set_ylabel("Wrong classes among them (%)")
    for axis in "xy":
        style.set_percent_axis(axes, axis)
    axes.tick_params(labelbottom=True, labelleft=True)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2))


def _mean_error(curve: pd.DataFrame) -> str:
    area = curve.loc[curve["scope"] == POOLED, "area"].iloc[0]
    return f"{100 * area:.1f} %"
