"""The intervals to quote of one run, read from ``intervals.tsv``."""

import os
from collections.abc import Sequence

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import POOLED
from blastfold.core.tables import read_table

NUMBERS = ("value", "lower", "upper")


def read_intervals(path: str | os.PathLike, metrics: Sequence[str]) -> pd.DataFrame:
    """Read the recommended interval of every metric.

    Args:
        path: ``intervals.tsv`` of a run.
        metrics: The metrics that are needed.

    Returns:
        value, lower, upper (fractions; NaN where undefined), images, groups and note (codes, see
        :mod:`blastfold.core.notes`), by view (pooled, folds) and metric.

    Raises:
        InputError: No interval of a metric is recommended for the pooled images.
    """
    table = read_table(path, ("view", "metric", "recommended", *NUMBERS, "note"))
    chosen = table[table["recommended"]].set_index(["view", "metric"]).sort_index()
    if absent := [metric for metric in metrics if (POOLED, metric) not in chosen.index]:
        raise InputError(f"{path}: no interval of {', '.join(absent)} is recommended")
    return chosen[[*NUMBERS, "images", "groups", "note"]]
