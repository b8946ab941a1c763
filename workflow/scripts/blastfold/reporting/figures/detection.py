"""The figure of detected leukocytes: the picture of every miss and of every false detection."""

import os
from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from blastfold.core.detection_tables import (
    ERROR_COLUMNS,
    FALSE,
    MISSED,
    PRECISION,
    RECALL,
    outline_of,
)
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.tables.detection import read_measures

FEWEST, COLUMNS = 3, 6
"""Pictures in one row."""

TITLE = 0.4
"""Inches of the title."""

MOST = 240
"""Errors in the figure; of more the first ones. The table of errors has all."""

KINDS = {MISSED: "Missed", FALSE: "False detection"}


def plot_detection(
    measures: str | os.PathLike,
    errors: str | os.PathLike,
    pictures: str | os.PathLike,
    title: str,
    paths: Iterable[str | os.PathLike],
) -> None:
    """Draw the errors of one data set or application.

    Args:
        measures: Recall and precision.
        errors: One row per error.
        pictures: Their pictures.
        title: Title of the photographs.
        paths: Figures to write.
    """
    drawn = np.load(pictures, mmap_mode="r")
    figure = error_grid(read_measures(measures), read_errors(errors), drawn, title)
    style.save_figure(figure, paths)


def read_errors(path: str | os.PathLike) -> pd.DataFrame:
    """Read the table of errors.

    Raises:
        InputError: It is not as expected.
    """
    return read_table(path, ERROR_COLUMNS, ("kind", "photograph", "outline"))


@style.styled
def error_grid(
    measures: pd.DataFrame, errors: pd.DataFrame, pictures: np.ndarray, title: str
) -> Figure:
    """Draw every error with its box (missed) or its outline (false).

    Args:
        measures: Recall and precision, by name.
        errors: One row per error.
        pictures: uint8 (errors, side, side, 3).
        title: Title of the photographs.
    """
    shown = list(range(min(len(errors), MOST)))
    columns = min(max(len(shown), FEWEST), COLUMNS)
    rows = max(1, -(-len(shown) // columns))
    width = style.TWO_COLUMNS * columns / COLUMNS
    figure, grid = style.image_grid(rows, columns, width, 1.25)
    figure.set_figheight(figure.get_figheight() + TITLE)
    for axes, number in zip(grid.flat, shown, strict=False):
        _draw(axes, errors.iloc[number], np.asarray(pictures[number]))
    if not shown:
        grid[0, 1].text(0.5, 0.5, "No error", ha="center", va="center")
    wide = 20 * columns
    words = style.wrap(heading(measures, errors), wide)
    figure.suptitle(f"{style.wrap(title, wide)}\n{words}", fontsize=8)
    return figure


def heading(measures: pd.DataFrame, errors: pd.DataFrame) -> str:
    """Return recall, precision and the numbers of errors in words."""
    parts = [_words(name, measures.loc[name]) for name in (RECALL, PRECISION)]
    counts = errors["kind"].value_counts()
    parts += [f"missed: {counts.get(MISSED, 0)}; false detections: {counts.get(FALSE, 0)}"]
    left_out = f"; the first {MOST} are shown" if len(errors) > MOST else ""
    return "; ".join(parts) + left_out


def _words(name: str, measured: pd.Series) -> str:
    if np.isnan(measured["value"]):
        return f"{name.capitalize()} undefined"
    value, lower, upper = (f"{100 * measured[key]:.1f}" for key in ("value", "lower", "upper"))
    limits = "" if np.isnan(measured["lower"]) else f" [{lower}, {upper}]"
    return f"{name.capitalize()} {value} %{limits}"


def _draw(axes: Axes, error: pd.Series, picture: np.ndarray) -> None:
    axes.imshow(picture)
    corner = np.array([error["shown_left"], error["shown_top"]], float)
    factor = len(picture) / error["shown_side"]
    for colour, width in (("white", 2.4), (style.VERMILLION, 1.2)):
        options = {"fill": False, "edgecolor": colour, "linewidth": width}
        outline = outline_of(error["outline"])
        if len(outline) > 2:
            axes.add_patch(Polygon((outline + 0.5 - corner) * factor - 0.5, **options))
            continue
        place = (np.array([error["left"], error["top"]]) - corner) * factor - 0.5
        sides = error["width"] * factor, error["height"] * factor
        axes.add_patch(Rectangle(place, *sides, linestyle="--", **options))
    axes.set_xlim(-0.5, len(picture) - 0.5)
    axes.set_ylim(len(picture) - 0.5, -0.5)
    name = error["photograph"].rpartition("/")[2]
    axes.set_title(f"{KINDS[error['kind']]}\n{style.wrap(name, 22, 1)}", fontsize=6.5)
