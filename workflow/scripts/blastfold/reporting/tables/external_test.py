"""The table of external tests: networks trained on one data set and tested on another."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import POOLED, SHOWN_METRICS
from blastfold.core.notes import make_note, notes_about
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]

TESTED = {"internal": "same data set", "external": "other data set"}
"""The words of the table and the figure for the two rows of a run."""

CAPTION = (
    "Networks trained on one data set and tested on another. The first row of a run shows the "
    "pooled test images of its folds. The second row shows all images of the other data set, "
    "predicted by the mean probability of the folds' networks. In brackets: 95 % interval over "
    "leakage groups of the tested images."
)


def tabulate_external_test(
    internal: Paths, external: Paths, runs: Sequence[dict], paths: Paths
) -> None:
    """Write the table of external tests; arguments as of :func:`external_rows`."""
    write_table(external_rows(internal, external, runs), paths, CAPTION, "tab:external-test")


def external_rows(internal: Paths, external: Paths, runs: Sequence[dict]) -> pd.DataFrame:
    """Return two rows per run: its own test images, and the other data set.

    Args:
        internal: ``intervals.tsv`` of each run's cross-validation.
        external: ``intervals.tsv`` of each run on the other data set.
        runs: For each run, in the same order, a dict with dataset, protocol, model and external,
            each with its title (``<name>_title``).

    Returns:
        The names, tested (a value of TESTED), images, each metric of SHOWN_METRICS (fractions)
        with ``<metric>_lower`` and ``<metric>_upper``, note.
    """
    rows = []
    for inside, outside, run in zip(internal, external, runs, strict=True):
        for tested, path in (("internal", inside), ("external", outside)):
            limits = read_intervals(path, SHOWN_METRICS).loc[POOLED]
            row = {**run, "tested": TESTED[tested], "images": int(limits["images"].iloc[0])}
            for metric in SHOWN_METRICS:
                row[metric] = float(limits.at[metric, "value"])
                row |= {f"{metric}_{end}": limits.at[metric, end] for end in ("lower", "upper")}
            rows.append(row | {"note": _note(limits.loc[list(SHOWN_METRICS)])})
    return pd.DataFrame(rows)


def _note(limits: pd.DataFrame) -> str:
    """Return the sentences of all metrics; a missing number without a reason is undefined."""
    missing = limits[["value", "lower"]].isna().any(axis=1)
    notes = limits["note"].where(~missing | (limits["note"] != ""), make_note("undefined"))
    return sentences(notes_about(notes.to_dict()))
