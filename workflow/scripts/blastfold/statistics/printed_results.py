"""Audit of printed results: can one confusion matrix print these figures?

A paper prints accuracy, sensitivity and specificity of n test images. All three come from one
matrix of four whole numbers that sum to n, so that every such matrix can be tried.
"""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import CELLS
from blastfold.core.notes import join_notes, make_note, notes_about

TOLERANCE = 0.01
"""Percentage points between a printed and a true figure: two decimals, rounded or cut off."""

_FIGURE = re.compile(r"[+-]?\d+(?:\.(?P<decimals>\d*))?")

LARGEST_SEARCH = 50_000_000
"""More candidate matrices than this are refused (figures left open, or one decimal of many)."""

# Products such as 0.29 * 100 are off in the last bit; no count is decided by that little.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PrintedAudit:
    """What the figures of one printed row allow.

    Attributes:
        verdict: ``possible``, ``impossible`` or ``different_class_ratio`` (possible, but only
            with another number of blasts than expected).
        matrices: The confusion matrices that print the row: columns ``true_negative``,
            ``false_positive``, ``false_negative``, ``true_positive``, ``positives``.
        note: Why it is impossible, or which class ratio it implies (codes, see
            :mod:`blastfold.core.notes`); empty when possible.
    """

    verdict: str
    matrices: pd.DataFrame
    note: str


def audit_printed_result(
    images: int,
    accuracy: float,
    sensitivity: float | None = None,
    specificity: float | None = None,
    *,
    tolerance: float = TOLERANCE,
    expected_positives: int | None = None,
    positives_tolerance: int = 1,
) -> PrintedAudit:
    """Find every confusion matrix that could print a row of results.

    Args:
        images: Number of test images.
        accuracy: Printed, in percent.
        sensitivity: Printed, in percent; None where not printed.
        specificity: Printed, in percent; None where not printed.
        tolerance: Largest distance of a printed from a true figure, in percentage points.
        expected_positives: Number of blasts that the stated split implies; None if unknown.
        positives_tolerance: By how much the number of blasts may differ from that.

    Returns:
        The audit. Both classes are taken to be present.

    Raises:
        InputError: For fewer than 2 images, figures outside 0 to 100, a negative tolerance,
            or a search beyond :data:`LARGEST_SEARCH`.
    """
    _check(images, tolerance, accuracy=accuracy, sensitivity=sensitivity, specificity=specificity)
    matrices = _matrices(images, accuracy, sensitivity, specificity, tolerance)
    if matrices.empty:
        note = _reasons(images, accuracy, sensitivity, specificity, tolerance)
        return PrintedAudit("impossible", matrices, note)
    if expected_positives is not None:
        distance = (matrices["positives"] - expected_positives).abs()
        if distance.min() > positives_tolerance:
            note = _implied(matrices["positives"], images, expected_positives)
            return PrintedAudit("different_class_ratio", matrices, note)
    return PrintedAudit("possible", matrices, "")


def read_figure(text: str, what: str) -> tuple[float | None, float]:
    """Read a printed percentage and how exactly it is printed.

    Args:
        text: As printed, with or without its sign; the decimals may follow a comma.
        what: What the figure is, for the message.

    Returns:
        The figure in percent, None for an empty text; and the largest distance of a true figure
        that prints it, rounded or cut off: one unit of its last decimal, in percentage points.

    Raises:
        InputError: The text is not a number.
    """
    plain = text.strip().removesuffix("%").strip().replace(",", ".")
    if not plain:
        return None, TOLERANCE
    matched = _FIGURE.fullmatch(plain)
    if matched is None:
        raise InputError(f"{what}: got {text!r}, expected percent")
    return float(plain), 10.0 ** -len(matched["decimals"] or "")


def _matrices(
    images: int,
    accuracy: float,
    sensitivity: float | None,
    specificity: float | None,
    tolerance: float,
) -> pd.DataFrame:
    positives = np.arange(1, images)
    first, last = counts_that_print(sensitivity, positives, tolerance)
    positives, true_positive = _spread_out(positives, first, last)
    first, last = counts_that_print(specificity, images - positives, tolerance)
    lowest, highest = counts_that_print(accuracy, np.full(len(positives), images), tolerance)
    first = np.maximum(first, lowest - true_positive)
    last = np.minimum(last, highest - true_positive)
    kept, true_negative = _spread_out(np.arange(len(positives)), first, last)
    positives, true_positive = positives[kept], true_positive[kept]
    false_positive = images - positives - true_negative
    counts = (true_negative, false_positive, positives - true_positive, true_positive)
    return pd.DataFrame({**dict(zip(CELLS, counts, strict=True)), "positives": positives})


def counts_that_print(
    percent: float | None, total: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest count of each total that prints the percentage."""
    if percent is None:
        return np.zeros_like(total), total
    first = np.ceil((percent - tolerance) / 100 * total - _ROUNDING).astype(np.int64)
    last = np.floor((percent + tolerance) / 100 * total + _ROUNDING).astype(np.int64)
    return np.maximum(first, 0), np.minimum(last, total)


def _spread_out(
    items: np.ndarray, first: np.ndarray, last: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Repeat each item once for every whole number from first to last; also return those."""
    number = np.maximum(last - first + 1, 0)
    if number.sum() > LARGEST_SEARCH:
        raise InputError(
            f"{number.sum()} confusion matrices to try, more than {LARGEST_SEARCH}: "
            "give more of the printed figures, or a smaller tolerance"
        )
    start = np.repeat(np.cumsum(number) - number, number)
    within = np.arange(number.sum()) - start
    return np.repeat(items, number), np.repeat(first, number) + within


def _implied(positives: pd.Series, images: int, expected: int) -> str:
    if positives.nunique() == 1:
        return make_note("implied_positives", positives.iloc[0], images, expected)
    return make_note("implied_range", positives.min(), positives.max(), images, expected)


def _reasons(
    images: int,
    accuracy: float,
    sensitivity: float | None,
    specificity: float | None,
    tolerance: float,
) -> str:
    reasons = []
    rates = {"sensitivity": sensitivity, "specificity": specificity}
    if None not in rates.values():
        low, high = sorted(rates.values())
        if not low - tolerance <= accuracy <= high + tolerance:
            side = "below" if accuracy < low else "above"
            figures = (accuracy, sensitivity, specificity)
            reasons.append(make_note(f"accuracy_{side}_both_rates", *figures))
    (more,), (fewer,) = counts_that_print(accuracy, np.array([images]), tolerance)
    if more > fewer:
        percents = (round(100 * count / images, 3) for count in (fewer, more))
        reasons.append(
            make_note("no_count_gives_accuracy", accuracy, images, fewer, more, *percents)
        )
    for name, rate in rates.items():
        first, last = counts_that_print(rate, np.arange(1, images), tolerance)
        if not np.any(first <= last):
            reasons.append(notes_about({name: make_note("no_class_gives_rate", rate, images)}))
    return join_notes(*reasons) or make_note("no_class_ratio_gives_all", images - 1, tolerance)


def _check(images: int, tolerance: float, **figures: float | None) -> None:
    if images < 2:
        raise InputError(f"images: got {images}, expected at least 2 (one of each class)")
    if not tolerance >= 0:
        raise InputError(f"tolerance: got {tolerance}, expected 0 or more percentage points")
    for name, value in figures.items():
        if value is None and name != "accuracy":
            continue
        if value is None or not 0 <= value <= 100:
            raise InputError(f"{name}: got {value}, expected percent from 0 to 100")
