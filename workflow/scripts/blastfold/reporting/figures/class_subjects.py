"""The figure of subjects with more than two classes: true and predicted shares of the classes."""

import math
import os
from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from blastfold.core.manifest import read_manifest
from blastfold.core.names import SUBJECT
from blastfold.core.predictions import predicted_classes, read_test_predictions
from blastfold.core.units import units_of
from blastfold.reporting.class_predictions import predicted_by_image, shares_by_subject
from blastfold.reporting.figures import style
from blastfold.reporting.figures.class_styles import class_style
from blastfold.reporting.figures.subjects import figure_without_subjects

Paths = Iterable[str | os.PathLike]

LONGEST_ROW, MOST_ROWS = 45, 8
"""Subjects in one row, and rows: of more subjects those whose shares differ the most are drawn."""

NAMED = 30
"""Up to so many subjects in a row have their names below."""


def plot_class_subjects(
    predictions: str | os.PathLike, manifest: str | os.PathLike, title: str, paths: Paths
) -> None:
    """Draw the shares of the classes in the cells of every subject of one run.

    Args:
        predictions: Predictions of all folds of the run.
        manifest: Manifest of the data set, which names the subjects.
        title: Titles of data set, protocol and model.
        paths: Figures to write.
    """
    tested = read_test_predictions(predictions)
    subject_of = units_of(read_manifest(manifest), SUBJECT)
    table = shares_table(predicted_by_image(tested), subject_of, predicted_classes(tested))
    style.save_figure(class_subjects(table, predicted_classes(tested), title), paths)


def shares_table(
    predicted: pd.DataFrame, subject_of: pd.Series, classes: Sequence[str]
) -> pd.DataFrame:
    """Return one row per subject, ordered by its most frequent true class.

    Args:
        predicted: As :func:`blastfold.reporting.class_predictions.predicted_by_image` returns it.
        subject_of: Subject by image_id; empty where unknown.
        classes: Names of the classes in the order of their labels.

    Returns:
        subject, cells, true and predicted (shares of the classes, Series), majority (the most
        frequent true class), called (the most frequent predicted one; of equal ones the first) and
        apart (half the sum of the differences of the shares, 0 to 1).
    """
    rows = []
    for subject, cells, *shares in shares_by_subject(predicted, subject_of):
        true, called = (share.reindex(classes).fillna(0.0) for share in shares)
        rows.append(
            {
                **{"subject": subject, "cells": cells, "true": true, "predicted": called},
                **{"majority": true.idxmax(), "called": called.idxmax()},
                "apart": float((true - called).abs().sum() / 2),
            }
        )
    if not rows:
        return pd.DataFrame(columns=["subject", "majority"])
    table = pd.DataFrame(rows)
    place = table["majority"].map(list(classes).index)
    return table.assign(place=place).sort_values(["place", "subject"], kind="stable")


@style.styled
def class_subjects(subjects: pd.DataFrame, classes: Sequence[str], title: str) -> Figure:
    """Draw two bars per subject, the true shares (narrow) and the predicted ones (wide).

    Subjects whose most frequent predicted class is not their most frequent true class are marked.

    Args:
        subjects: As :func:`shares_table` returns it.
        classes: Names of the classes in the order of their labels.
        title: Title of the figure.
    """
    if subjects.empty:
        return figure_without_subjects(title)
    drawn = _most_apart(subjects)
    number = math.ceil(len(drawn) / LONGEST_ROW)
    length = math.ceil(len(drawn) / number)
    width = min(style.TWO_COLUMNS, max(style.ONE_COLUMN, (24 + 9 * length) * style.MILLIMETRE))
    named = length <= NAMED
    columns = max(1, int(width / style.MILLIMETRE / (14 + 1.7 * min(max(map(len, classes)), 26))))
    below = 4.5 * math.ceil((len(classes) + 1) / columns) + 8
    height = (number * (50 if named else 36) + below + 10) * style.MILLIMETRE
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(number, 1, squeeze=False)[:, 0]
    for row, axes in enumerate(grid):
        _draw_row(axes, drawn[row * length : (row + 1) * length], classes, length, named)
    shown = "" if len(drawn) == len(subjects) else f", those of {len(subjects):,} that differ most"
    bars = "narrow bar: true classes, wide bar: predicted"
    grid[-1].set_xlabel(style.wrap(f"Subjects (n = {len(drawn)}{shown}); {bars}", int(width * 15)))
    figure.suptitle(style.wrap(title, int(width / style.MILLIMETRE * 0.58)), fontsize=8)
    handles = [_patch(place, name) for place, name in enumerate(classes)]
    wrong = int((drawn["majority"] != drawn["called"]).sum())
    handles.append(Patch(facecolor=style.ORANGE, alpha=0.3, label=f"Other majority ({wrong})"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=6.5)
    return figure


def _most_apart(subjects: pd.DataFrame) -> pd.DataFrame:
    most = LONGEST_ROW * MOST_ROWS
    if len(subjects) <= most:
        return subjects.reset_index(drop=True)
    kept = subjects.sort_values("apart", ascending=False, kind="stable").index[:most]
    return subjects[subjects.index.isin(kept)].reset_index(drop=True)


def _patch(place: int, name: str) -> Patch:
    look = class_style(place)
    return Patch(
        facecolor=look.colour, hatch=look.hatch, edgecolor="white", lw=0.3,
        label=style.wrap(name, 26, 1),
    )  # fmt: skip


def _draw_row(
    axes: Axes, subjects: pd.DataFrame, classes: Sequence[str], length: int, named: bool
) -> None:
    places = range(len(subjects))
    for shares, (left, width) in (("true", (-0.36, 0.2)), ("predicted", (-0.12, 0.48))):
        base = [0.0] * len(subjects)
        for label, name in enumerate(classes):
            heights = [row[name] for row in subjects[shares]]
            look = class_style(label)
            axes.bar(
                [place + left for place in places], heights, width, bottom=base, align="edge",
                color=look.colour, hatch=look.hatch, edgecolor="white", lw=0.3,
            )  # fmt: skip
            base = [low + high for low, high in zip(base, heights, strict=True)]
    wrong = (subjects["majority"] != subjects["called"]).to_numpy()
    for place in places:
        if wrong[place]:
            axes.axvspan(place - 0.5, place + 0.5, color=style.ORANGE, alpha=0.3, lw=0, zorder=0)
    shown = list(places) if named else [place for place in places if wrong[place]]
    names = [style.wrap(subjects["subject"].iloc[place], 16, 1) for place in shown]
    axes.set_xticks(shown, names, rotation=90, fontsize=6)
    axes.set_xlim(-0.7, length - 0.3)
    axes.set_ylim(0, 1)
    style.set_percent_axis(axes)
    axes.set_ylabel("Cells (%)")
