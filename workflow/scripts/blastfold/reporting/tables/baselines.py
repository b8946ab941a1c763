"""The table of networks against trivial baselines."""

import os
from collections.abc import Iterable, Mapping

import pandas as pd

from blastfold.core.names import BASELINES, MACRO_AUC, PRIMARY_METRIC
from blastfold.core.notes import note_codes, without_notes
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import heading_of, write_both

Paths = Iterable[str | os.PathLike]

NOT_ABOVE = "not_above_baseline"
"""The note of a difference whose interval includes 0."""


def tabulate_baselines(
    differences: Paths,
    protocols: Mapping[str, str],
    titles: Mapping[str, str],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write the difference of every network to every trivial baseline.

    Args:
        differences: ``differences.tsv`` of each protocol.
        protocols: Titles of the protocols by name, in the same order.
        titles: Titles of the models by name.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write; for readers the rows of :func:`shown_metric`, as TSV all.
    """
    tables = [
        baseline_rows(read_differences(path), titles).assign(protocol=name, protocol_title=shown)
        for path, (name, shown) in zip(differences, protocols.items(), strict=True)
    ]
    table = pd.concat(tables, ignore_index=True)
    first = ["protocol", "protocol_title"]
    table = table[[*first, *table.columns.drop(first)]]
    metric = shown_metric(table)
    name = "AUC" if metric == PRIMARY_METRIC else "macro AUC of all classes"
    caption = (
        f"Networks and trivial baselines on {title}, {name} on the same test images. The baselines "
        "are logistic regressions on the mean colour of the whole image, on the area of the cell "
        "or on mean and standard deviation of the colours around it, fitted on the training images "
        "of each fold, and the majority class. Difference: network minus baseline with its 95 % "
        "interval over leakage groups, for these trained networks; no test and no verdict on the "
        "procedure."
    )
    readers = table[table["metric"] == metric].reset_index(drop=True)
    readers = readers.drop(columns=["metric", "metric_title"])
    write_both(table, readers, paths, caption, label)


def shown_metric(differences: pd.DataFrame) -> str:
    """Return the metric that readers see: the AUC, of more than two classes their macro AUC.

    Args:
        differences: Column metric.
    """
    return MACRO_AUC if (differences["metric"] == MACRO_AUC).any() else PRIMARY_METRIC


def read_differences(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``differences.tsv`` of a split.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, ("model", "baseline", "metric", "difference", "note"), ("model",))


def baseline_rows(differences: pd.DataFrame, titles: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per model, baseline and metric.

    Args:
        differences: As :func:`read_differences` returns it.
        titles: Titles of the models by name.

    Returns:
        model, baseline, metric (each with its title), network_value and baseline_value (fractions),
        difference, difference_lower, difference_upper (points), above_baseline (shown, not shown or
        unknown) and note.
    """
    rows = []
    for row in differences.to_dict("records"):
        known = not pd.isna(row["lower"])
        above = "not shown" if NOT_ABOVE in note_codes(row["note"]) else "shown"
        rows.append(
            {
                "model": row["model"],
                "model_title": titles[row["model"]],
                "baseline": row["baseline"],
                "baseline_title": BASELINES[row["baseline"]],
                "metric": row["metric"],
                "metric_title": heading_of(row["metric"]).removesuffix(" (%)"),
                "network_value": row["network_value"],
                "baseline_value": row["baseline_value"],
                "difference": 100 * row["difference"],
                "difference_lower": 100 * row["lower"],
                "difference_upper": 100 * row["upper"],
                "above_baseline": above if known else "unknown",
                "note": sentences(without_notes(row["note"], NOT_ABOVE), short=True),
            }
        )
    return pd.DataFrame(rows)
