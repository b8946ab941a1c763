"""Lines and areas of many classes that readers of every colour vision can distinguish.

There are seven colours (Okabe and Ito, "Color Universal Design", 2008). The eighth class has the
first colour again, with another line and another hatching, and so on.
"""

from typing import NamedTuple

from blastfold.reporting.figures import style

LINES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5)))
HATCHES = ("", "////", "....", "xxxx")
"""Kinds of lines and of hatching, in the order in which they are given out."""


class ClassStyle(NamedTuple):
    """How one class is drawn: its colour, the kind of its lines and the hatching of its areas."""

    colour: str
    line: str | tuple
    hatch: str


def class_area(position: int, classes: int) -> dict:
    """Return how Matplotlib fills the area of a class; two classes have the colours of old."""
    if classes <= len(style.CLASS_COLOURS):
        return {"color": style.CLASS_COLOURS[position]}
    look = class_style(position)
    return {"color": look.colour, "hatch": look.hatch, "edgecolor": "white", "lw": 0.3}


def class_style(position: int) -> ClassStyle:
    """Return how the class at this position is drawn; 28 classes later it comes again."""
    round_number, colour = divmod(position, len(style.SERIES))
    kind = round_number % len(LINES)
    return ClassStyle(style.SERIES[colour], LINES[kind], HATCHES[kind])
