"""The share of positive cells of a subject, with an interval over photographs.

Cells of one photograph are from one place of the smear, stained and exposed together; they are no
independent draws. The interval is that of a proportion in clusters: the delete-one jackknife over
photographs with a t quantile, as Wilson's interval for the effective number of cells
(:func:`blastfold.statistics.jackknife.bounded_interval`). It describes how much the share would
vary with other photographs of the same smears, taken in the same way. It says nothing of errors of
the network.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.intervals import interval

SHARE = "sensitivity"
"""The share of positive cells is the sensitivity where every cell has the positive label."""


class ShareInterval(NamedTuple):
    """Limits of a share; NaN with a note where there is none."""

    lower: float
    upper: float
    note: str


def share_interval(
    positive: np.ndarray, photographs: np.ndarray, level: float = 0.95
) -> ShareInterval:
    """Return the interval of the share of positive cells.

    Args:
        positive: bool (cells,).
        photographs: Name of the photograph of every cell.
        level: Confidence level.

    Returns:
        The interval; with cells of one photograph it takes cells as independent (Wilson), which
        the note says.
    """
    if not len(positive):
        return ShareInterval(np.nan, np.nan, "")
    table = pd.DataFrame({"label": 1, "probability": np.asarray(positive, float)})
    if len(set(photographs)) == 1:
        found = interval(SHARE, table, None, "wilson", level=level)
        note = make_note("one_photograph")
        return ShareInterval(found.lower, found.upper, note)
    found = interval(SHARE, table, photographs, "jackknife-t", level=level)
    alone = interval(SHARE, table, None, "wilson", level=level)
    narrow = found.upper - found.lower < alone.upper - alone.lower
    note = join_notes(make_note("too_narrow") if narrow else "", found.note)
    return ShareInterval(found.lower, found.upper, note)
