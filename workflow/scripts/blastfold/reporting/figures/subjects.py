"""The figure of subjects: one column per subject with the probabilities of its cells."""

import math
import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blastfold.core.manifest import read_manifest
from blastfold.core.names import SUBJECT, THRESHOLD
from blastfold.core.predictions import class_pair, read_test_predictions
from blastfold.core.tables import read_table
from blastfold.core.units import BOTH_CLASSES, MEAN_PROBABILITY, units_of
from blastfold.reporting.figures import style

Paths = Iterable[str | os.PathLike]

LONGEST_ROW = 60
"""Subjects in one row of columns; more are drawn in several rows."""

NAMED = 34
"""Up to so many subjects in a row have their names below; of more, only the wrong ones."""

JITTER = 0.3
"""Cells of a subject are spread over so much of its column on each side."""

COLOURS = {0: style.BLUE, 1: style.VERMILLION, BOTH_CLASSES: style.GREY}


def plot_subjects(
    subjects: str | os.PathLike,
    predictions: str | os.PathLike,
    manifest: str | os.PathLike,
    title: str,
    paths: Paths,
) -> None:
    """Draw the cells of every subject of one run.

    Args:
        subjects: ``subjects.tsv`` of the run.
        predictions: Predictions of all folds of the run.
        manifest: Manifest of the data set, which names the subjects.
        title: Titles of data set, protocol and model.
        paths: Figures to write.
    """
    tested = read_test_predictions(predictions)
    unit_of = units_of(read_manifest(manifest), SUBJECT)
    cells = tested.assign(unit=tested["image_id"].map(unit_of).fillna(""))
    units = read_table(subjects, ("level", "unit", "label", MEAN_PROBABILITY), text=("unit",))
    units = units[units["level"] == SUBJECT]
    style.save_figure(subject_columns(units, cells, class_pair(tested), title), paths)


@style.styled
def subject_columns(
    units: pd.DataFrame, cells: pd.DataFrame, classes: Sequence[str], title: str
) -> Figure:
    """Draw one column per subject: its cells, their mean and the threshold.

    Subjects are ordered by class and by mean probability. Those on the wrong side of the threshold
    are marked.

    Args:
        units: unit (the subject), label and mean_probability, one row per subject.
        cells: Test predictions: image_id, probability and unit; with repeats, a cell has several
            rows and is drawn at their mean.
        classes: Names of the negative and the positive class.
        title: Title of the figure.
    """
    if units.empty:
        return figure_without_subjects(title)
    classes = style.side_names(classes)
    cells = cells.groupby(["unit", "image_id"], as_index=False)["probability"].mean()
    # The negative class is first, then the positive one, then subjects with cells of both.
    units = units.assign(place=units["label"].replace(BOTH_CLASSES, 2))
    units = units.sort_values(["place", MEAN_PROBABILITY, "unit"], kind="stable")
    parts = _rows_of(units)
    length = max(map(len, parts))
    width = min(style.TWO_COLUMNS, max(style.ONE_COLUMN, (20 + 7 * length) * style.MILLIMETRE))
    named = length <= NAMED
    height = len(parts) * (62 if named else 52) * style.MILLIMETRE + 0.6
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for axes, drawn in zip(grid, parts, strict=True):
        _draw_row(axes, drawn, cells, classes, length, named)
    grid[-1].set_xlabel(f"Subjects by mean probability (n = {len(units)})")
    figure.suptitle(style.wrap(title, int(width / style.MILLIMETRE * 0.62)), fontsize=8)
    _add_legend(figure, units, classes, width)
    return figure


def _rows_of(units: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the columns of each row: all in one, or rows of one class each where they are many."""
    if len(units) <= LONGEST_ROW:
        return [units.reset_index(drop=True)]
    parts = []
    for _, members in units.groupby("place"):
        number = math.ceil(len(members) / LONGEST_ROW)
        length = math.ceil(len(members) / number)
        parts += [members.iloc[row * length : (row + 1) * length] for row in range(number)]
    return [part.reset_index(drop=True) for part in parts]


def _draw_row(
    axes: Axes,
    units: pd.DataFrame,
    cells: pd.DataFrame,
    classes: Sequence[str],
    length: int,
    named: bool,
) -> None:
    axes.axhline(THRESHOLD, color=style.BLACK, lw=0.8, ls=(0, (4, 3)), zorder=1)
    size = float(np.clip(90 / length, 1.2, 5))
    for place, unit in units.iterrows():
        values = np.sort(cells.loc[cells["unit"] == unit["unit"], "probability"].to_numpy())
        colour = COLOURS[unit["label"]]
        alpha = float(np.clip(20 / len(values), 0.12, 0.6))
        axes.scatter(
            place + _jitter(len(values)), values, s=size, color=colour, alpha=alpha, lw=0,
            rasterized=True, zorder=2,
        )  # fmt: skip
        mean = unit[MEAN_PROBABILITY]
        axes.plot([place - 0.38, place + 0.38], [mean, mean], color=style.BLACK, lw=1.6, zorder=3)
        if _is_wrong(unit):
            axes.axvspan(place - 0.5, place + 0.5, color=style.ORANGE, alpha=0.22, lw=0, zorder=0)
            axes.plot(place, 1.045, marker="x", color=style.BLACK, ms=4, mew=1.1, clip_on=False)
    _separate_classes(axes, units, classes)
    _name_columns(axes, units, named)
    axes.set_xlim(-0.7, length - 0.3)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(f"Probability of {style.wrap(classes[-1], 28, 1)}")
    axes.grid(axis="y")


def _separate_classes(axes: Axes, units: pd.DataFrame, classes: Sequence[str]) -> None:
    """Write the class and its number of subjects above its columns."""
    titles = {0: classes[0], 1: classes[-1], BOTH_CLASSES: "both classes"}
    for label, members in units.groupby("label", sort=False):
        first, last = members.index.min(), members.index.max()
        if first > 0:
            axes.axvline(first - 0.5, color=style.GREY, lw=0.8, zorder=1)
        text = f"{style.class_title(titles[label])} ({len(members)})"
        axes.text(
            (first + last) / 2, 1.09, text, ha="center", va="bottom", fontsize=7.5,
            color=COLOURS[label], fontweight="bold",
        )  # fmt: skip


def _name_columns(axes: Axes, units: pd.DataFrame, named: bool) -> None:
    shown = units if named else units[[_is_wrong(unit) for _, unit in units.iterrows()]]
    names = [style.wrap(name, 14, lines=1) for name in shown["unit"]]
    axes.set_xticks(list(shown.index), names, rotation=90, fontsize=6)
    axes.tick_params(axis="x", length=0 if named else 2.5)
    for label, (_, unit) in zip(axes.get_xticklabels(), shown.iterrows(), strict=True):
        label.set_fontweight("bold" if _is_wrong(unit) else "normal")


def _is_wrong(unit: pd.Series) -> bool:
    called = int(unit[MEAN_PROBABILITY] >= THRESHOLD)
    return unit["label"] != BOTH_CLASSES and called != unit["label"]


def _jitter(number: int) -> np.ndarray:
    """Return offsets that look random and are the same in every run: multiples of the golden ratio.

    Neighbours in probability are then far from each other.
    """
    golden = (math.sqrt(5) - 1) / 2
    return JITTER * (2 * np.mod(golden * np.arange(1, number + 1), 1) - 1)


def _add_legend(figure: Figure, units: pd.DataFrame, classes: Sequence[str], width: float) -> None:
    wrong = sum(_is_wrong(unit) for _, unit in units.iterrows())
    handles = [
        Line2D([], [], color=style.GREY, marker="o", ls="", ms=3, label="Cell"),
        Line2D([], [], color=style.BLACK, lw=1.6, label="Mean of the subject"),
        Line2D([], [], color=style.BLACK, lw=0.8, ls=(0, (4, 3)), label=f"Threshold {THRESHOLD}"),
        Line2D([], [], color=style.BLACK, marker="x", ls="", ms=4, label=f"Wrong ({wrong})"),
    ]
    columns = 4 if width > 1.4 * style.ONE_COLUMN else 2
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def figure_without_subjects(title: str) -> Figure:
    """Draw that a source names no subject."""
    figure = Figure(figsize=(style.ONE_COLUMN, 30 * style.MILLIMETRE))
    axes = figure.subplots()
    axes.set_axis_off()
    text = "The source does not name its subjects:\nno result by subject."
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    figure.suptitle(style.wrap(title, 50), fontsize=8)
    return figure
