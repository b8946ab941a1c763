"""Intervals of differences: a difference of two shares is never more than 100 points."""

import pandas as pd

from blastfold.core.names import ALL_METRIC_FACTS

LARGEST = 100.0
"""The largest difference of two percentages, in points."""

ENDS = ("difference_lower", "difference_upper")

CUT = "the interval reaches beyond what a difference can be, and is cut there"


def cut_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Cut the ends of intervals of differences beyond 100 points, and say so in the note.

    Few groups give intervals by Student's t that are wider than any difference can be.

    Args:
        table: difference_lower and difference_upper (points) and note; metric where rows are about
            several. Rows of metrics that are not percentages stay as they are.
    """
    if not {*ENDS, "note"} <= set(table):
        return table
    percent = pd.Series(True, index=table.index)
    if "metric" in table:
        kept = {name for name, facts in ALL_METRIC_FACTS.items() if not facts.percent}
        percent = ~table["metric"].isin(kept)
    ends = table[list(ENDS)].astype(float)
    beyond = percent & (ends.abs() > LARGEST).any(axis=1)
    if not beyond.any():
        return table
    cut = table.copy()
    cut[list(ENDS)] = ends.where(~beyond, ends.clip(-LARGEST, LARGEST), axis=0)
    notes = cut.loc[beyond, "note"].fillna("")
    cut.loc[beyond, "note"] = [f"{note}; {CUT}" if note else CUT for note in notes]
    return cut
