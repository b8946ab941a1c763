"""Audit of printed results: can one confusion matrix print these figures?

A paper prints accuracy, sensitivity and specificity of n test images. All three come from one
matrix of four whole numbers that sum to n, so that every such matrix can be tried.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError

TOLERANCE = 0.01
"""Percentage points between a printed and a true figure: two decimals, rounded or cut off."""

LARGEST_SEARCH = 50_000_000
"""More candidate matrices than this are refused (figures left open, or one decimal of many)."""

# Products such as 0.29 * 100 are off in the last bit; no count is decided by that little.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class PrintedAudit:
    """What the figures of one printed row allow.

    Attributes:
        verdict: ``possible``, ``impossible`` or ``different class ratio`` (possible, but only
            with another number of blasts than expected).
        matrices: The confusion matrices that print the row: columns ``true_negative``,
            ``false_positive``, ``false_negative``, ``true_positive``, ``positives``.
        reasons: Why it is impossible, or which class ratio it implies; empty when possible.
    """

    verdict: str
    matrices: pd.DataFrame
    reasons: tuple[str, ...]


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
        reasons = _reasons(images, accuracy, sensitivity, specificity, tolerance)
        return PrintedAudit("impossible", matrices, reasons)
    if expected_positives is not None:
        distance = (matrices["positives"] - expected_positives).abs()
        if distance.min() > positives_tolerance:
            found = matrices["positives"]
            shown = f"{found.min()}" if found.nunique() == 1 else f"{found.min()} to {found.max()}"
            reason = f"implies {shown} blasts of {images} images, expected {expected_positives}"
            return PrintedAudit("different class ratio", matrices, (reason,))
    return PrintedAudit("possible", matrices, ())


def audit_table(results: pd.DataFrame, *, tolerance: float = TOLERANCE) -> pd.DataFrame:
    """Audit every row of a table of printed results.

    Args:
        results: Columns ``images``, ``accuracy``, ``sensitivity``, ``specificity`` (percent,
            empty or NaN where not printed) and optional ``expected_positives``.
        tolerance: See :func:`audit_printed_result`.

    Returns:
        The table with the columns ``verdict``, ``possible_matrices`` (their number),
        ``example`` (one of them in words) and ``reasons``.

    Raises:
        InputError: As :func:`audit_printed_result`; the message names the row.
    """
    rows = []
    for position, row in enumerate(results.to_dict("records"), start=1):
        expected = _number(row.get("expected_positives"))
        try:
            found = audit_printed_result(
                int(row["images"]),
                *(_number(row[name]) for name in ("accuracy", "sensitivity", "specificity")),
                tolerance=tolerance,
                expected_positives=None if expected is None else round(expected),
            )
        except InputError as error:
            raise InputError(f"printed results, row {position}: {error}") from None
        rows.append((found.verdict, len(found.matrices), _example(found), "; ".join(found.reasons)))
    columns = ["verdict", "possible_matrices", "example", "reasons"]
    return results.assign(**dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True)))


def _matrices(
    images: int,
    accuracy: float,
    sensitivity: float | None,
    specificity: float | None,
    tolerance: float,
) -> pd.DataFrame:
    positives = np.arange(1, images)
    first, last = _counts(sensitivity, positives, tolerance)
    positives, true_positive = _spread_out(positives, first, last)
    first, last = _counts(specificity, images - positives, tolerance)
    lowest, highest = _counts(accuracy, np.full(len(positives), images), tolerance)
    first = np.maximum(first, lowest - true_positive)
    last = np.minimum(last, highest - true_positive)
    kept, true_negative = _spread_out(np.arange(len(positives)), first, last)
    positives, true_positive = positives[kept], true_positive[kept]
    return pd.DataFrame(
        {
            "true_negative": true_negative,
            "false_positive": images - positives - true_negative,
            "false_negative": positives - true_positive,
            "true_positive": true_positive,
            "positives": positives,
        }
    )


def _counts(
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


def _reasons(
    images: int,
    accuracy: float,
    sensitivity: float | None,
    specificity: float | None,
    tolerance: float,
) -> tuple[str, ...]:
    reasons = []
    rates = {"sensitivity": sensitivity, "specificity": specificity}
    if None not in rates.values():
        low, high = sorted(rates.values())
        if not low - tolerance <= accuracy <= high + tolerance:
            side = "below" if accuracy < low else "above"
            reasons.append(
                f"accuracy {accuracy:g} is {side} both sensitivity {sensitivity:g} and "
                f"specificity {specificity:g}, of which it is a weighted mean"
            )
    first, last = _counts(accuracy, np.array([images]), tolerance)
    if first[0] > last[0]:
        reasons.append(
            f"no count of {images} images gives accuracy {accuracy:g}: "
            f"{last[0]} right are {100 * last[0] / images:.3f}, "
            f"{first[0]} are {100 * first[0] / images:.3f}"
        )
    for name, rate in rates.items():
        totals = np.arange(1, images)
        first, last = _counts(rate, totals, tolerance)
        if not np.any(first <= last):
            reasons.append(f"no class of fewer than {images} images gives {name} {rate:g}")
    if not reasons:
        reasons.append(
            f"no number of blasts from 1 to {images - 1} gives all figures at once "
            f"(within {tolerance:g} points)"
        )
    return tuple(reasons)


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


def _number(value: object) -> float | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    return float(value)


def _example(found: PrintedAudit) -> str:
    if found.matrices.empty:
        return ""
    cells = found.matrices.iloc[len(found.matrices) // 2]
    return (
        f"{cells['positives']} blasts: {cells['true_positive']} right; "
        f"{cells['true_negative'] + cells['false_positive']} normals: "
        f"{cells['true_negative']} right"
    )
