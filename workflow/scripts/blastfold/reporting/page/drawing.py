"""Drawings of the results page: parts of inline SVG with the colours of the page's style sheet.

Everything is text in the page's own fonts and takes its colours from classes, so that it follows
dark and light. Forest plots are HTML (see ``workflow/page/parts.html.j2``); only what has two
dimensions is here.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.reporting.tables.writing import MINUS

ROC_SIDE, ROC_MARGIN = 300, 44
"""Side of the square of a ROC plot and its margin for axes, in units of the drawing."""

NARROWEST, WIDEST, STRIP_WIDTH = 26, 90, 1000
"""Widths of one subject's column in pixels, and the width that all columns share."""

STRIP_HEIGHT, STRIP_LEFT, STRIP_TOP, STRIP_BOTTOM = 220, 60, 12, 84
"""Height of the probabilities and margins of a plot of subjects, in pixels."""

DOTS, GAP = (4.5, 3.5, 2.8), 0.5
"""Diameters of a dot, of which the largest that fits is drawn, and the gap between dots, pixels."""

STEPS = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0)
"""Distances between the ticks of an axis of fractions."""

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Curve(NamedTuple):
    """A ROC curve, with the limits of its band (empty without one): arrays of fractions."""

    title: str
    false_positive: Sequence[float]
    true_positive: Sequence[float]
    lower: Sequence[float] = ()
    upper: Sequence[float] = ()


class SubjectColumn(NamedTuple):
    """One subject of a plot of subjects: its cells' probabilities, its class, its mean."""

    name: str
    positive: bool
    probabilities: Sequence[float]
    mean: float
    wrong: bool


class RocPlot(NamedTuple):
    """What the template draws: view box, paths of curves and bands, ticks."""

    size: int
    left: int
    side: int
    curves: list[dict]
    ticks: list[tuple[float, str]]


class StripPlot(NamedTuple):
    """What the template draws of subjects: sizes, columns, dots as paths, ticks."""

    width: int
    height: int
    columns: list[dict]
    dots: list[dict]
    ticks: list[tuple[float, str]]
    threshold: float
    left: int
    right: int
    base: int
    dot: float


def roc_plot(curves: Sequence[Curve]) -> RocPlot:
    """Lay out ROC curves: false positives to the right, true positives up."""
    drawn = [
        {
            "title": curve.title,
            "line": _path(curve.false_positive, curve.true_positive),
            "band": _band(curve),
        }
        for curve in curves
    ]
    ticks = [(tick, f"{100 * tick:g}") for tick in TICKS]
    return RocPlot(ROC_SIDE + ROC_MARGIN + 12, ROC_MARGIN, ROC_SIDE, drawn, ticks)


def _path(right: Sequence[float], up: Sequence[float]) -> str:
    points = zip(np.asarray(right, float), np.asarray(up, float), strict=True)
    steps = [f"{ROC_SIDE * x:.1f} {ROC_SIDE * (1 - y):.1f}" for x, y in points]
    return "M" + "L".join(dict.fromkeys(steps)) if steps else ""


def _band(curve: Curve) -> str:
    if not len(curve.lower):
        return ""
    right = [*curve.false_positive, *reversed(curve.false_positive)]
    return _path(right, [*curve.lower, *reversed(curve.upper)]) + "Z"


def strip_plot(subjects: Sequence[SubjectColumn], threshold: float) -> StripPlot:
    """Lay out one column per subject, the probability of every cell as a dot.

    All dots of a class are one path, so that ten thousand cells are two elements.
    """
    shared = STRIP_WIDTH / max(len(subjects), 1)
    column_width = min(max(shared, NARROWEST), WIDEST)
    dot = _dot_size(subjects, column_width)
    columns, dots = [], {False: [], True: []}
    for number, subject in enumerate(subjects):
        centre = STRIP_LEFT + column_width * (number + 0.5)
        columns.append(
            {
                "name": subject.name,
                "x": round(centre, 1),
                "mean": round(_up(subject.mean), 1),
                "wrong": subject.wrong,
            }
        )
        spread, _ = spread_dots(subject.probabilities, column_width, dot)
        dots[subject.positive] += [
            f"M{centre + shift:.1f} {_up(probability):.1f}h0"
            for shift, probability in zip(spread, subject.probabilities, strict=True)
        ]
    right = round(STRIP_LEFT + column_width * len(subjects))
    return StripPlot(
        width=right + 12,
        height=STRIP_TOP + STRIP_HEIGHT + STRIP_BOTTOM,
        columns=columns,
        dots=[{"positive": kind, "path": "".join(paths)} for kind, paths in dots.items()],
        ticks=[(round(_up(tick), 1), f"{tick:g}") for tick in TICKS],
        threshold=_up(threshold),
        left=STRIP_LEFT,
        right=right,
        base=STRIP_TOP + STRIP_HEIGHT,
        dot=dot,
    )


def _up(probability: float) -> float:
    return STRIP_TOP + STRIP_HEIGHT * (1 - probability)


def _dot_size(subjects: Sequence[SubjectColumn], width: float) -> float:
    """Return the largest dot with which no dots of a subject cover each other, or the smallest."""
    for dot in DOTS:
        if all(spread_dots(subject.probabilities, width, dot)[1] for subject in subjects):
            return dot
    return DOTS[-1]


def spread_dots(
    probabilities: Sequence[float], width: float, dot: float
) -> tuple[np.ndarray, bool]:
    """Move the dots of one subject sideways, so that they do not cover each other.

    Args:
        probabilities: Heights of the dots.
        width: Width of the subject's column, pixels.
        dot: Diameter of a dot, pixels.

    Returns:
        The shift of every dot from the centre, pixels, and whether no two dots overlap. Where the
        column is too narrow, a dot is in the lane whose last dot is farthest away.
    """
    step = dot + GAP
    reach = max(int((width - step) / 2 // step), 0)
    lanes = sorted(range(-reach, reach + 1), key=lambda lane: (abs(lane), -lane))
    last = np.full(len(lanes), -np.inf)
    shifts, apart = np.zeros(len(probabilities)), True
    heights = np.asarray(probabilities, float) * STRIP_HEIGHT
    for number in np.argsort(heights, kind="stable"):
        free = np.flatnonzero(heights[number] - last >= step)
        lane = int(free[0]) if len(free) else int(np.argmin(last))
        apart = apart and len(free) > 0
        last[lane] = heights[number]
        shifts[number] = lanes[lane] * step
    return shifts, apart


def axis_limits(lowers: Sequence[float], uppers: Sequence[float]) -> tuple[float, float]:
    """Return the ends of an axis that holds all intervals, rounded to tenths (fractions)."""
    known = pd.Series([*lowers, *uppers], dtype=float).dropna()
    if known.empty:
        return 0.0, 1.0
    low, high = np.floor(10 * known.min() + 1e-9) / 10, np.ceil(10 * known.max() - 1e-9) / 10
    return float(low), float(max(high, low + 0.1))


class ForestRow(NamedTuple):
    """One value of a forest plot; fractions, NaN where there is none.

    Attributes:
        name: What it is about.
        text: Value and interval in text.
        value, lower, upper: Value and interval.
        tone: Class of the style sheet: ``plain``, ``quoted``, ``leaking`` or ``baseline``.
        after: Words behind the value, for instance a verdict.
        group: Heading of the rows that belong together; may be empty.
    """

    name: str
    text: str
    value: float
    lower: float
    upper: float
    tone: str = "plain"
    after: str = ""
    group: str = ""


class Forest(NamedTuple):
    """What the template draws: rows with places in percent of the width, ticks, a mark."""

    rows: list[dict]
    ticks: list[tuple[float, str]]
    mark: float | None


def forest_plot(
    rows: Sequence[ForestRow], mark: float | None = None, signed: bool = False
) -> Forest | None:
    """Lay out values with their intervals below each other; None without any value.

    Args:
        rows: The values.
        mark: A value that is marked by a line, for instance no difference.
        signed: Whether the ticks of the axis are differences in points.
    """
    rows = [row for row in rows if row.value == row.value]
    if not rows:
        return None
    marks = [] if mark is None else [mark]
    values = [row.value for row in rows] + marks
    low, high = axis_limits(
        [row.lower for row in rows] + values, [row.upper for row in rows] + values
    )

    def place(value: float) -> float:
        return round(100 * (value - low) / (high - low), 2)

    drawn = []
    for row in rows:
        limits = (row.lower, row.upper) if row.lower == row.lower else (row.value, row.value)
        left, right = map(place, limits)
        drawn.append(
            {"row": row, "left": left, "width": round(right - left, 2), "point": place(row.value)}
        )
    ticks = [(place(tick), _tick_label(tick, signed)) for tick in axis_ticks(low, high)]
    return Forest(drawn, ticks, None if mark is None else place(mark))


def axis_ticks(low: float, high: float) -> list[float]:
    """Return round places on an axis, at most six, 0 among them where the axis holds it."""
    step = next(step for step in STEPS if (high - low) / step <= 5 + 1e-9)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [number * step for number in range(first, last + 1)]


def _tick_label(tick: float, signed: bool) -> str:
    text = f"{100 * tick:+.0f}" if signed and abs(tick) > 1e-9 else f"{100 * tick:.0f}"
    return text.replace("-", MINUS)
