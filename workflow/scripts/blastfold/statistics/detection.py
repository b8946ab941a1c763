"""Shares of cells with intervals over photographs, whose cells are not independent."""

from typing import NamedTuple

import numpy as np

from blastfold.core.notes import join_notes
from blastfold.statistics.jackknife import bounded_interval, few_groups_note, spread


class Share(NamedTuple):
    """A share of cells.

    Attributes:
        value: From 0 to 1; NaN without a cell.
        lower, upper: Interval over photographs; NaN where there is none.
        note: What to keep in mind.
    """

    value: float
    lower: float
    upper: float
    note: str


def share_over_photographs(part: np.ndarray, whole: np.ndarray, level: float = 0.95) -> Share:
    """Return a share of all cells, with an interval over photographs.

    The value is a ratio of sums; its spread is that of leaving out one photograph after another
    (:mod:`blastfold.statistics.jackknife`).

    Args:
        part: Counted cells of each photograph.
        whole: All cells of each photograph.
        level: Confidence level.
    """
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    total = whole.sum()
    if total == 0:
        return Share(np.nan, np.nan, np.nan, "")
    value = float(part.sum() / total)
    left = total - whole
    # Without the only photograph with cells the share is not defined, which is no change.
    deleted = np.divide(part.sum() - part, left, out=np.full(len(left), np.nan), where=left > 0)
    measured = spread(deleted - value, [whole])
    lower, upper, note = bounded_interval("sensitivity", value, measured, level)
    return Share(value, lower, upper, join_notes(note, few_groups_note(measured.effective_groups)))
