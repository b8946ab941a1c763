"""Which metrics figures draw, and how they name them, where there are more than two classes.

Metrics over all classes come first. All others are then about the positive classes against the
rest, and their headings report it.
"""

from collections.abc import Iterable, Sequence

from blastfold.core.names import OVER_CLASSES
from blastfold.reporting.tables.writing import heading_of

PERCENT = " (%)"


def over_classes(there: Iterable[str]) -> list[str]:
    """Return the metrics over all classes among those of a table; none for two classes."""
    found = set(there)
    return [metric for metric in OVER_CLASSES if metric in found]


def drawn_metrics(there: Iterable[str], of_two: Sequence[str]) -> list[str]:
    """Return the metrics of a figure's panels.

    Args:
        there: Metrics of the table.
        of_two: What is drawn of two classes.
    """
    return [*over_classes(there), *of_two]


def panel_heading(metric: str, drawn: Sequence[str], *, percent: bool = True) -> str:
    """Return the heading of a metric next to the others that a figure draws.

    Args:
        metric: The metric.
        drawn: All metrics of the figure.
        percent: Whether the unit is named.
    """
    name = heading_of(metric)
    plain = name.removesuffix(PERCENT)
    unit = name.removeprefix(plain) if percent else ""
    about = ""
    if over_classes(drawn):
        about = ", all classes" if metric in OVER_CLASSES else ", positive classes"
    return f"{plain}{about}{unit}"


def within_sentence(heading: str) -> str:
    """Return a heading for the middle of a sentence; AUC stays in capitals."""
    first, space, rest = heading.partition(" ")
    short = first.strip(",").isupper()
    return f"{first if short else first.lower()}{space}{rest}"
