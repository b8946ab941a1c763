"""The figure of external tests."""

import os
from collections.abc import Iterable, Sequence

import pandas as pd

from blastfold.reporting.figures import style
from blastfold.reporting.figures.comparisons import GAP_METRICS, protocol_gap
from blastfold.reporting.tables.external_test import ONE, SINGLE, external_rows

Paths = Iterable[str | os.PathLike]


def plot_external_test(
    internal: Paths, single: Paths, external: Paths, runs: Sequence[dict], paths: Paths
) -> None:
    """Draw accuracy and AUC on the same and on the other data set, a line for each run.

    Args:
        internal: ``intervals.tsv`` of each run's cross-validation.
        single: ``network_intervals.tsv`` of each run on the other data set.
        external: ``intervals.tsv`` of each run on the other data set.
        runs: As :func:`blastfold.reporting.tables.external_test.external_rows` takes them.
        paths: Figures to write.
    """
    rows = []
    table = external_rows(internal, single, external, runs)
    several = table["protocol"].nunique() > 1
    for row in table.to_dict("records"):
        title = f"{row['dataset_title']} to {row['external_title']}: {row['model_title']}"
        line = {
            "model": "/".join(row[kind] for kind in ("dataset", "protocol", "model", "external")),
            "model_title": f"{title}, {row['protocol_title']}" if several else title,
            "protocol": f"{row['tested']}, {_kind(row['networks'])}",
            "protocol_title": f"{row['tested'].capitalize()}, {_kind(row['networks'])}",
        }
        for metric in GAP_METRICS:
            ends = {end: row[f"{metric}_{end}"] for end in ("lower", "upper")}
            rows.append({**line, "metric": metric, "value": row[metric], **ends})
    style.save_figure(protocol_gap(pd.DataFrame(rows), "External test"), paths)


def _kind(networks: str) -> str:
    """Return which networks predicted, in the words that all runs share."""
    return networks if networks in (ONE, SINGLE) else "mean of the folds' networks"
