"""The table of external tests over all classes, where networks know more than two."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from blastfold.core.names import CLASS_METRIC_FACTS, MACRO_AUC, POOLED
from blastfold.reporting.class_tables import read_class_metrics
from blastfold.reporting.tables.classes import overall_row, without_unused
from blastfold.reporting.tables.external_test import ONE, SINGLE, TESTED, Paths, missing_classes
from blastfold.reporting.tables.writing import write_both

PRINTED = (MACRO_AUC, "accuracy", "balanced_accuracy", "macro_f1", "kappa")
"""The metrics that are printed; the TSV has all."""

CAPTION = (
    "Networks trained on one data set and tested on another, over all classes. Classes are matched "
    "by name; those that one side lacks are in the notes. An image is predicted as its most "
    "probable class of all that the networks know. Single networks: the folds' networks one by "
    "one, all taken together. Mean of networks: their mean probability of an image, which has no "
    "counterpart on the same data set. Compare rows of single networks with each other. In "
    "brackets: 95 % interval over leakage groups of the tested images."
)


def tabulate_external_classes(
    internal: Paths,
    single: Paths,
    external: Paths,
    records: Paths,
    runs: Sequence[dict],
    paths: Paths,
) -> None:
    """Write the results over all classes on the same and on the other data set of each run.

    Args:
        internal: ``class_metrics.tsv`` of each run's cross-validation.
        single: ``network_class_metrics.tsv`` of each run: single networks on the other data set.
        external: ``class_metrics.tsv`` of each run: the networks' mean on the other data set.
        records: Record of each test: its networks and the classes that one side lacks.
        runs: For each run, in the same order, a dict with dataset, protocol, model and external,
            each with its title (``<name>_title``).
        paths: Tables to write (see :func:`blastfold.reporting.tables.writing.write_table`).
    """
    table = without_unused(external_class_table(internal, single, external, records, runs))
    unprinted = [metric for metric in CLASS_METRIC_FACTS if metric not in PRINTED]
    ends = [f"{metric}{end}" for metric in unprinted for end in ("", "_lower", "_upper")]
    shown = table.drop(columns=[name for name in ends if name in table])
    write_both(table, shown, paths, CAPTION, "tab:external-classes")


def external_class_table(
    internal: Paths, single: Paths, external: Paths, records: Paths, runs: Sequence[dict]
) -> pd.DataFrame:
    """Return the names of every run with its :func:`class_rows`; arguments as above."""
    rows = []
    for *files, record, run in zip(internal, single, external, records, runs, strict=True):
        names = {key: value for key, value in run.items() if key != "repeats"}
        rows += [names | row for row in class_rows(*files, record)]
    return pd.DataFrame(rows)


def class_rows(
    internal: str | os.PathLike,
    single: str | os.PathLike,
    external: str | os.PathLike,
    record: str | os.PathLike,
) -> list[dict]:
    """Return the rows of one run.

    Returns:
        tested (a value of TESTED), networks (which predicted), images, the metrics of
        :func:`blastfold.reporting.tables.classes.overall_row` and note (sentences).
    """
    networks = len(json.loads(Path(record).read_text("utf-8"))["networks"])
    name = ONE if networks == 1 else SINGLE
    found = [("internal", name, internal, ""), ("external", name, single, missing_classes(record))]
    if networks > 1:
        mean = f"mean of {networks} networks"
        found.append(("external", mean, external, missing_classes(record)))
    return [_row(*one) for one in found]


def _row(tested: str, networks: str, path: str | os.PathLike, missing: str) -> dict:
    metrics = read_class_metrics(path)
    row = overall_row(metrics)
    note = "; ".join(filter(None, (missing, row.pop("note"))))
    images = metrics.loc[metrics["scope"] == POOLED, "images"].iloc[0]
    about = {"tested": TESTED[tested], "networks": networks, "images": int(images)}
    return {**about, **row, "note": note}
