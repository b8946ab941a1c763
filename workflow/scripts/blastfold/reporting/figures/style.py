"""One look for every figure: journal column widths, colour-blind-safe colours, stable files."""

import functools
import logging
import os
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import JOINED
from blastfold.core.notes import (
    DESCRIPTIVE,
    FIRST_HIGHER,
    NO_DIFFERENCE,
    NO_VERDICT,
    SECOND_HIGHER,
)
from blastfold.reporting.tables.writing import MINUS

MILLIMETRE = 1 / 25.4
"""Inches, the unit in which Matplotlib takes sizes."""

ONE_COLUMN = 85 * MILLIMETRE
TWO_COLUMNS = 180 * MILLIMETRE

# Okabe & Ito, "Color Universal Design" (2008): distinct for every kind of colour vision.
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
BLUE = "#0072B2"
VERMILLION = "#D55E00"
PURPLE = "#CC79A7"
BLACK = "#000000"

GREY = "#8C8C8C"
LIGHT_GREY = "#D9D9D9"

SERIES = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK)
"""Colours of models and protocols, in the order in which they are given out."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")

CLASS_COLOURS = {0: SKY_BLUE, 1: VERMILLION}

# Its messages on each table of a font would drown those of the rule.
logging.getLogger("fontTools").setLevel(logging.WARNING)

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "figure.constrained_layout.use": True,
    # Names of data sets and subjects are text, never formulas, whatever they contain.
    "text.parse_math": False,
    # Fonts as TrueType in PDF and as text in SVG, so that an editor can change them.
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "blastfold",
}

METADATA = {
    ".pdf": {"CreationDate": None},
    ".svg": {"Date": None},
    ".png": {"Software": None},
}
"""No dates and no versions, so that the same results give the same bytes."""

PNG_RESOLUTION = 300
"""Dots per inch."""


def styled(function: Callable[..., Figure]) -> Callable[..., Figure]:
    """Build a figure in the common style, whatever style the caller has set."""

    @functools.wraps(function)
    def build(*arguments, **keywords) -> Figure:
        with matplotlib.rc_context(), matplotlib.style.context(["default", STYLE]):
            return function(*arguments, **keywords)

    return build


def save_figure(figure: Figure, paths: Iterable[str | os.PathLike]) -> None:
    """Write one figure in every format that is asked for, always with the same bytes.

    The figure is laid out once, for all formats; its layout is fixed afterwards.

    Args:
        figure: A figure made by a function of this package.
        paths: Files to write; the suffix of each (.pdf, .svg or .png) gives its format.

    Raises:
        BlastfoldError: A suffix is unknown.
    """
    with matplotlib.style.context(["default", STYLE]):
        # Widths of text depend on the resolution.
        figure.set_dpi(PNG_RESOLUTION)
        figure.draw_without_rendering()
        with matplotlib.rc_context({"figure.constrained_layout.use": False}):
            figure.set_layout_engine(None)
            for path in map(Path, paths):
                if path.suffix not in METADATA:
                    raise BlastfoldError(f"{path}: figures are written as {', '.join(METADATA)}")
                path.parent.mkdir(parents=True, exist_ok=True)
                figure.savefig(path, dpi=PNG_RESOLUTION, metadata=METADATA[path.suffix])


def image_grid(rows: int, columns: int, width: float, aspect: float) -> tuple[Figure, Sequence]:
    """Make a figure for a grid of images without axes.

    Args:
        rows: Number of rows.
        columns: Number of columns.
        width: Width of the figure in inches.
        aspect: Height of a cell (an image with its caption) over its width.

    Returns:
        The figure and its axes, shape (rows, columns).
    """
    figure = Figure(figsize=(width, width / columns * aspect * rows))
    figure.get_layout_engine().set(w_pad=0.015, h_pad=0.03, wspace=0.01, hspace=0.01)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def label_row(axes: Axes, text: str) -> None:
    """Write the content of a row of images next to its first image."""
    axes.text(
        -0.06,
        0.5,
        text,
        transform=axes.transAxes,
        rotation=90,
        horizontalalignment="right",
        verticalalignment="center",
        fontweight="bold",
    )


def set_percent_axis(axes: Axes, axis: str = "y") -> None:
    """Show fractions as percent on one axis."""
    formatter = FuncFormatter(lambda value, _: f"{100 * value:g}")
    getattr(axes, f"{axis}axis").set_major_formatter(formatter)


def signed_points(fraction: float, _position: int = 0) -> str:
    """Return a difference of fractions in points with its sign, as the label of a tick."""
    points = f"{100 * fraction:+g}" if round(fraction, 9) else "0"
    return points.replace("-", MINUS)


def wrap(text: str, characters: int, lines: int = 3) -> str:
    """Break a long name into lines; what does not fit ends in an ellipsis."""
    return "\n".join(
        textwrap.wrap(text, characters, max_lines=lines, placeholder="…") or [text[:characters]]
    )


def class_title(name: str) -> str:
    """Return the name of a class as a figure shows it, with its first letter in upper case."""
    return name[:1].upper() + name[1:]


def side_names(classes: Sequence[str]) -> list[str]:
    """Return the names of the negative and the positive side of two.

    A side of several classes has no room for their names; the title of the figure has them.

    Args:
        classes: Names of both, those of several classes joined.
    """
    several = ("other classes", "positive classes")
    return [words if JOINED in name else name for name, words in zip(classes, several, strict=True)]


OUTCOMES = {
    "Difference detected": FIRST_HIGHER,
    "No difference detected": NO_DIFFERENCE,
    "Not tested": DESCRIPTIVE,
}
"""Entries of a legend, each with an outcome that has its marker."""


def outcome_marker(outcome: str, colour: str) -> dict:
    """Return the marker of a difference: filled circle, empty circle or diamond.

    Args:
        outcome: As the table of comparisons stores it; what was not tested has the diamond.
        colour: Colour of the line.
    """
    if outcome in (DESCRIPTIVE, NO_VERDICT):
        return {"marker": "d", "markersize": 3.5, "markerfacecolor": colour}
    found = outcome in (FIRST_HIGHER, SECOND_HIGHER)
    return {"marker": "o", "markersize": 4.5, "markerfacecolor": colour if found else "white"}
