"""Results as text of the page: percent, points, intervals and articles of metrics."""

from blastfold.reporting.tables.writing import MINUS


def article(metric: str) -> str:
    """Return a metric's title with its article, within a sentence."""
    short = metric.isupper()
    word = metric if short else metric[:1].lower() + metric[1:]
    return f"{'an' if word[:1] in ('AEFIMO' if short else 'aeio') else 'a'} {word}"


def interval_text(value: float, lower: float, upper: float) -> str:
    """Return a fraction with its interval as percent, for instance ``95.4 % [87.3, 98.4]``."""
    if value != value:
        return "undefined"
    limits = f" [{100 * lower:.1f}, {100 * upper:.1f}]" if lower == lower else ""
    return percent_text(value) + limits


def percent_text(fraction: float) -> str:
    """Return a fraction as percent with one decimal."""
    return f"{100 * fraction:.1f} %"


def points_text(fraction: float) -> str:
    """Return a difference of fractions as points with its sign and one decimal."""
    return f"{100 * fraction:+.1f}".replace("-", MINUS)
