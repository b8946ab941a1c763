"""The figure of external tests."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blastfold.core.names import MACRO_AUC
from blastfold.reporting.figures import style
from blastfold.reporting.figures.comparisons import GAP_METRICS
from blastfold.reporting.tables.external_classes import external_class_table
from blastfold.reporting.tables.external_test import (
    ONE,
    SINGLE,
    external_rows,
    has_classes,
    missing_of,
)
from blastfold.reporting.tables.writing import heading_of

Paths = Iterable[str | os.PathLike]

CLASS_METRICS = (MACRO_AUC, "accuracy")
"""What is drawn over all classes."""


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
    rows = _lines(external_rows(internal, single, external, runs), GAP_METRICS)
    title = "External test"
    if any(has_classes(path) for path in single):
        title += ", positive classes against all others"
    style.save_figure(slopes(rows, title), paths)


def plot_external_classes(
    internal: Paths,
    single: Paths,
    external: Paths,
    records: Paths,
    runs: Sequence[dict],
    paths: Paths,
) -> None:
    """Draw macro AUC and accuracy over all classes on the same and on the other data set.

    Arguments are those of
    :func:`blastfold.reporting.tables.external_classes.tabulate_external_classes`.
    """
    table = external_class_table(internal, single, external, records, runs)
    rows = _lines(table, CLASS_METRICS)
    style.save_figure(slopes(rows, "External test, all classes", CLASS_METRICS), paths)


def _lines(table: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Return the rows of :func:`slopes`; classes that the other data set lacks are named."""
    rows = []
    several = table["protocol"].nunique() > 1
    keys = ["dataset", "protocol", "model", "external"]
    missing = table.groupby(keys)["note"].agg(lambda notes: missing_of(notes.iloc[1]))
    for row in table.to_dict("records"):
        title = f"{row['dataset_title']} to {row['external_title']}: {row['model_title']}"
        title += f", {row['protocol_title']}" if several else ""
        names = tuple(row[key] for key in keys)
        lacks = f" ({missing[names]})" if missing[names] and metrics == CLASS_METRICS else ""
        line = {
            "model": "/".join(names),
            "model_title": title + lacks,
            "protocol": f"{row['tested']}, {_kind(row['networks'])}",
            "protocol_title": f"{row['tested'].capitalize()}, {_kind(row['networks'])}",
        }
        for metric in metrics:
            ends = {end: row[f"{metric}_{end}"] for end in ("lower", "upper")}
            rows.append({**line, "metric": metric, "value": row[metric], **ends})
    return pd.DataFrame(rows)


@style.styled
def slopes(rows: pd.DataFrame, title: str, metrics: Sequence[str] = GAP_METRICS) -> Figure:
    """Draw a slope chart: protocols from left to right, one panel per metric.

    Args:
        rows: model, model_title, protocol, protocol_title, metric, value, lower and upper
            (fractions; NaN where undefined), protocols in the order in which they are shown.
        title: Title of the figure.
        metrics: What is drawn.
    """
    protocols = rows.drop_duplicates("protocol").set_index("protocol")["protocol_title"]
    models = rows.drop_duplicates("model").set_index("model")["model_title"]
    figure = Figure(figsize=(style.TWO_COLUMNS, 80 * style.MILLIMETRE))
    panels = figure.subplots(1, len(metrics), sharey=True)
    step = min(0.09, 0.5 / len(models))
    for axes, metric in zip(panels, metrics, strict=True):
        for order, (model, model_title) in enumerate(models.items()):
            chosen = rows[(rows["metric"] == metric) & (rows["model"] == model)]
            places = protocols.index.get_indexer(chosen["protocol"])
            shift = (order - (len(models) - 1) / 2) * step
            below, above = chosen["value"] - chosen["lower"], chosen["upper"] - chosen["value"]
            axes.errorbar(
                places + shift,
                chosen["value"],
                # An interval of the exact kind may touch the value; rounding must not cross it.
                yerr=np.clip([below, above], 0, None),
                color=style.SERIES[order % len(style.SERIES)],
                marker=style.MARKERS[order % len(style.MARKERS)],
                markersize=5,
                markeredgecolor="white",
                markeredgewidth=0.5,
                linewidth=1,
                elinewidth=0.9,
                capsize=2,
                label=style.wrap(model_title, 60, 3),
            )
        width = int(112 / len(protocols) / len(metrics))
        titles = [style.wrap(name, width) for name in protocols]
        axes.set_xticks(range(len(protocols)), titles)
        axes.set_xlim(-0.5, len(protocols) - 0.5)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel(heading_of(metric))
        axes.yaxis.set_tick_params(labelleft=True)
        axes.grid(axis="y")
        style.set_percent_axis(axes)
    figure.suptitle(style.wrap(title, 100), fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4))
    return figure


def _kind(networks: str) -> str:
    """Return which networks predicted, in the words that all runs share."""
    return networks if networks in (ONE, SINGLE) else "mean of the folds' networks"
