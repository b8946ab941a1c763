"""Intervals, table and figure of external tests."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.reporting.tables.writing import heading_of, write_table

Paths = Iterable[str | os.PathLike]

SHOWN = ("auc", "accuracy", "sensitivity", "specificity")

TESTED = {"internal": "same data set", "external": "other data set"}
"""What the table and the figure call the two rows of a run."""

CAPTION = (
    "Networks trained on one data set and tested on another: the pooled test images of the folds, "
    "and all images of the other data set by the mean probability of the folds' networks. In "
    "brackets: 95 % interval over leakage groups of the tested images."
)


def read_pooled(path: str | os.PathLike) -> pd.DataFrame:
    """Read value, lower, upper, images, groups and note of the recommended pooled intervals.

    Args:
        path: ``intervals.tsv``.

    Raises:
        InputError: When a shown metric is missing.
    """
    table = pd.read_csv(
        path,
        sep="\t",
        keep_default_na=False,
        na_values={name: "" for name in ("value", "lower", "upper")},
    )
    chosen = table[(table["view"] == "pooled") & table["recommended"]].set_index("metric")
    if absent := [metric for metric in SHOWN if metric not in chosen.index]:
        raise InputError(f"{path}: no interval of {', '.join(absent)} is recommended")
    return chosen[["value", "lower", "upper", "images", "groups", "note"]]


def external_rows(internal: Paths, external: Paths, runs: Sequence[dict]) -> pd.DataFrame:
    """Return two rows a run: its own test images, and the other data set.

    Args:
        internal: ``intervals.tsv`` of each run's cross-validation.
        external: ``intervals.tsv`` of each run on the other data set.
        runs: For each run, in the same order, a dict with dataset, protocol, model and external,
            each with its title (``<name>_title``).

    Returns:
        The names, tested (a value of TESTED), images, each metric of SHOWN as a fraction with
        ``<metric>_lower`` and ``<metric>_upper``, note.
    """
    rows = []
    for inside, outside, run in zip(internal, external, runs, strict=True):
        for tested, path in (("internal", inside), ("external", outside)):
            limits = read_pooled(path)
            row = {**run, "tested": TESTED[tested], "images": int(limits["images"].iloc[0])}
            for metric in SHOWN:
                row[metric] = float(limits.at[metric, "value"])
                row |= {f"{metric}_{end}": limits.at[metric, end] for end in ("lower", "upper")}
            rows.append(row | {"note": _note(limits.loc[list(SHOWN)])})
    return pd.DataFrame(rows)


def _note(limits: pd.DataFrame) -> str:
    """Join the notes of all metrics, each once with the metrics it holds for."""
    notes: dict[str, list[str]] = {}
    for metric, row in limits.iterrows():
        text = row["note"]
        if np.isnan(row["value"]) or np.isnan(row["lower"]):
            text = text or "undefined"
        if text:
            notes.setdefault(text, []).append(heading_of(metric).removesuffix(" (%)"))
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in notes.items())


def tabulate_external_test(
    internal: Paths, external: Paths, runs: Sequence[dict], paths: Paths
) -> None:
    """Write the table of external tests; arguments as of :func:`external_rows`."""
    write_table(external_rows(internal, external, runs), paths, CAPTION, "tab:external-test")
