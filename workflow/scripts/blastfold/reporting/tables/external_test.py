"""The table of external tests: networks trained on one data set and tested on another."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import MACRO_AUC, POOLED, SHOWN_METRICS
from blastfold.core.notes import make_note, notes_about
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]

TESTED = {"internal": "same data set", "external": "other data set"}
"""The words for the images that a row is about."""

READING = (
    " Networks that know more than two classes are measured by their positive classes against all "
    "others."
)
"""What the caption says in addition where there are such networks."""

LEFT_OUT = "images of classes that the networks do not know are left out:"
ABSENT = "no image is of the class"
"""How notes begin that say which classes either side lacks."""

ONE, SINGLE = "one network", "single networks"

CAPTION = (
    "Networks trained on one data set and tested on another. Single networks: the predictions of "
    "the folds' networks one by one, all taken together; on the same data set each image is "
    "predicted by the network of the fold that tests it, on the other one by every network. Mean "
    "of networks: their mean probability of an image, which has no counterpart on the same data "
    "set. Compare rows of single networks with each other. In brackets: 95 % interval over leakage "
    "groups of the tested images."
)


def tabulate_external_test(
    internal: Paths,
    single: Paths,
    external: Paths,
    runs: Sequence[dict],
    paths: Paths,
    records: Paths = (),
) -> None:
    """Write the table of external tests; arguments as of :func:`external_rows`.

    The records of the tests say which classes are missing on either side.
    """
    table = external_rows(internal, single, external, runs)
    if missing := [missing_classes(path) for path in records]:
        tested = table["tested"] == TESTED["external"]
        number = (table["tested"] == TESTED["internal"]).cumsum() - 1
        said = np.where(tested, number.map(dict(enumerate(missing))), "")
        notes = zip(said, table["note"], strict=True)
        table["note"] = ["; ".join(filter(None, pair)) for pair in notes]
    several = any(has_classes(path) for path in single)
    write_table(table, paths, CAPTION + READING * several, "tab:external-test")


def has_classes(intervals: str | os.PathLike) -> bool:
    """Return whether intervals are of networks that know more than two classes."""
    return (POOLED, MACRO_AUC) in read_intervals(intervals, ()).index


def missing_of(note: str) -> str:
    """Return what a note of the table says of missing classes; empty for nothing."""
    return "; ".join(part for part in note.split("; ") if part.startswith((LEFT_OUT, ABSENT)))


def missing_classes(record: str | os.PathLike) -> str:
    """Return which classes of an external test the other side does not have; empty for none."""
    matched = json.loads(Path(record).read_text("utf-8")).get("classes", {})
    left_out, absent = matched.get("left_out", {}), matched.get("absent", [])
    parts = []
    if left_out:
        names = ", ".join(f"{name} ({images})" for name, images in left_out.items())
        parts.append(f"{LEFT_OUT} {names}")
    if absent:
        parts.append(f"{ABSENT}{'es' * (len(absent) > 1)} {', '.join(absent)}")
    return "; ".join(parts)


def title_with_missing(title: str, record: str | os.PathLike) -> str:
    """Return a title, followed by a sentence on the classes that either side does not have."""
    missing = missing_classes(record)
    return f"{title}. {missing[0].upper()}{missing[1:]}" if missing else title


def external_rows(
    internal: Paths,
    single: Paths,
    external: Paths,
    runs: Sequence[dict],
    metrics: Sequence[str] = SHOWN_METRICS,
) -> pd.DataFrame:
    """Return the rows of each run: its own test images, and the other data set.

    Single networks are compared with single networks. Where there are several folds, the mean of
    their networks on the other data set has a row of its own. With several repeats values of single
    networks are means over repeats, on both data sets.

    Args:
        internal: ``intervals.tsv`` of each run's cross-validation.
        single: ``network_intervals.tsv`` of each run: every network on the other data set.
        external: ``intervals.tsv`` of each run: the networks' mean on the other data set.
        runs: For each run, in the same order, a dict with dataset, protocol, model and external,
            each with its title (``<name>_title``), and repeats where the protocol has several.
        metrics: The metrics; one that a run lacks is undefined.

    Returns:
        The names, tested (a value of TESTED), networks (which predicted), images, each of the
        metrics (fractions) with ``<metric>_lower`` and ``<metric>_upper``, note.
    """
    rows = []
    for inside, by_network, outside, run in zip(internal, single, external, runs, strict=True):
        files = (inside, by_network, outside)
        *found, ensemble = (
            read_intervals(path, SHOWN_METRICS).loc[POOLED].reindex(metrics) for path in files
        )
        images = int(ensemble["images"].max())
        # Intervals count the images of one repeat.
        names = dict(run)
        networks = names.pop("repeats", 1) * int(found[1]["images"].max()) // images
        name = ONE if networks == 1 else SINGLE
        rows.append(_row(names, "internal", name, int(found[0]["images"].max()), found[0]))
        rows.append(_row(names, "external", name, images, found[1]))
        if networks > 1:
            rows.append(_row(names, "external", f"mean of {networks} networks", images, ensemble))
    return pd.DataFrame(rows)


def _row(run: dict, tested: str, networks: str, images: int, limits: pd.DataFrame) -> dict:
    row = {**run, "tested": TESTED[tested], "networks": networks, "images": images}
    for metric in limits.index:
        row[metric] = float(limits.at[metric, "value"])
        row |= {f"{metric}_{end}": limits.at[metric, end] for end in ("lower", "upper")}
    return row | {"note": _note(limits)}


def _note(limits: pd.DataFrame) -> str:
    """Return the sentences of all metrics; a missing number without a reason is undefined."""
    missing = limits[["value", "lower"]].isna().any(axis=1)
    notes = (
        limits["note"]
        .fillna("")
        .where(~missing | (limits["note"].fillna("") != ""), make_note("undefined"))
    )
    return sentences(notes_about(notes.to_dict()))
