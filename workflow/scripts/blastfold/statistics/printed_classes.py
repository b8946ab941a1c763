"""Audit of printed results of several classes: can whole images print accuracy and recalls?

A class of n images has a whole number of images predicted correctly, and the accuracy counts all of
these together. Which numbers print a recall is a range for every class, so that the sums of all
choices are a range too: a row is possible where that range meets the one that prints the accuracy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.statistics.printed_results import TOLERANCE, counts_that_print

POSSIBLE, IMPOSSIBLE = "possible", "impossible"

LARGEST_COUNT = 10_000_000
"""Choices of correct images are counted in as many steps; more are refused (huge classes)."""


@dataclass(frozen=True)
class PrintedClasses:
    """What printed figures of several classes allow.

    Attributes:
        verdict: ``possible`` or ``impossible``.
        fewest: Fewest correct images by class that print its recall.
        most: Most correct images by class; below the fewest where no number prints it.
        ways: How many choices of correct images by class print all figures.
        note: Why it is impossible (codes, about ``class-1`` and so on); empty when possible.
    """

    verdict: str
    fewest: dict[str, int]
    most: dict[str, int]
    ways: int
    note: str


def audit_printed_classes(
    images: Mapping[str, int],
    recalls: Mapping[str, float | None],
    accuracy: float | None = None,
    *,
    tolerance: float = TOLERANCE,
    tolerances: Mapping[str, float] | None = None,
) -> PrintedClasses:
    """Decide whether printed recalls and accuracy are possible for classes of these sizes.

    Args:
        images: Number of test images by class.
        recalls: Printed recall (sensitivity) by class, in percent; None where not printed.
        accuracy: Printed, in percent; None where not printed.
        tolerance: Largest distance of a printed from a true figure, in percentage points.
        tolerances: That of the recalls that are printed more or less exactly, by class.

    Returns:
        The audit.

    Raises:
        InputError: For fewer than two classes, a class without images, a recall of a class that
            has no size, figures outside 0 to 100, a negative tolerance, or more choices than
            :data:`LARGEST_COUNT` steps can count.
    """
    within = dict.fromkeys(images, tolerance) | dict(tolerances or {})
    _check(images, recalls, accuracy, tolerance)
    fewest, most = {}, {}
    for name, number in images.items():
        first, last = counts_that_print(recalls.get(name), np.array([number]), within[name])
        fewest[name], most[name] = int(first[0]), int(last[0])
    absent = [
        notes_about(
            {f"class-{place}": make_note("no_count_gives_recall", recalls[name], images[name])}
        )
        for place, name in enumerate(images, 1)
        if fewest[name] > most[name]
    ]
    total = np.array([sum(images.values())])
    (first,), (last,) = counts_that_print(accuracy, total, tolerance)
    reasons = join_notes(*absent)
    if not absent and not (sum(fewest.values()) <= last and sum(most.values()) >= first):
        ends = (100 * sum(ends.values()) / total[0] for ends in (fewest, most))
        reasons = make_note(
            "recalls_give_other_accuracy", accuracy, *(round(end, 3) for end in ends)
        )
    if first > last:
        percents = (round(100 * count / total[0], 3) for count in (last, first))
        numbers = (accuracy, int(total[0]), int(last), int(first), *percents)
        reasons = join_notes(make_note("no_count_gives_accuracy", *numbers), reasons)
    ways = 0 if reasons else _ways(fewest, most, int(first), int(last))
    return PrintedClasses(IMPOSSIBLE if reasons else POSSIBLE, fewest, most, ways, reasons)


def _ways(fewest: Mapping[str, int], most: Mapping[str, int], first: int, last: int) -> int:
    """Count the choices of correct images by class whose sum is from first to last."""
    widths = np.cumsum([most[name] - fewest[name] + 1 for name in fewest])
    if widths.sum() > LARGEST_COUNT:
        raise InputError(
            f"images: about {widths[-1]} numbers of correct images to try, too many to count. "
            "Give more of the printed recalls"
        )
    sums = {0: 1}
    for name in fewest:
        reached: dict[int, int] = {}
        running, width = 0, most[name] - fewest[name]
        low, high = min(sums), max(sums)
        for total in range(low, high + width + 1):
            running += sums.get(total, 0) - sums.get(total - width - 1, 0)
            reached[total + fewest[name]] = running
        sums = reached
    return sum(ways for total, ways in sums.items() if first <= total <= last)


def _check(
    images: Mapping[str, int],
    recalls: Mapping[str, float | None],
    accuracy: float | None,
    tolerance: float,
) -> None:
    if len(images) < 2 or min(images.values()) < 1:
        raise InputError(
            f"images: got {dict(images)}, expected two classes at least, with images each"
        )
    if unknown := [name for name in recalls if name not in images]:
        raise InputError(f"recalls: got the classes {unknown}, expected those of {list(images)}")
    if not tolerance >= 0:
        raise InputError(f"tolerance: got {tolerance}, expected 0 or more percentage points")
    for name, value in {**recalls, "accuracy": accuracy}.items():
        if value is not None and not 0 <= value <= 100:
            raise InputError(f"{name}: got {value}, expected percent from 0 to 100")
