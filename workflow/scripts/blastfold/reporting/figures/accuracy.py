"""Figures that compare accuracies: models and protocols, and the literature."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from blastfold.core.interval_table import read_intervals
from blastfold.core.names import POOLED, fold_scopes
from blastfold.reporting.figures import style
from blastfold.reporting.tables.reproduction import MODEL_TITLES, read_literature, read_published
from blastfold.reporting.tables.results import headline_scope, read_metrics

Paths = Iterable[str | os.PathLike]

PRINTED = "Thesis, printed"


def plot_accuracy_comparison(
    metrics: Paths,
    intervals: Paths,
    runs: Sequence[dict],
    published: str | os.PathLike,
    title: str,
    paths: Paths,
) -> None:
    """Draw the accuracy of every model under every protocol (thesis Figs. 5.19 and 5.20).

    Args:
        metrics: ``metrics.tsv`` of each run on the data set.
        intervals: ``intervals.tsv`` of each run.
        runs: For each run, in the same order, a dict with model, model_title, protocol,
            protocol_title and ``reproduces``, the thesis' data set or None.
        published: ``resources/published_results.tsv``.
        title: Title of the figure.
        paths: Figures to write (see :func:`blastfold.reporting.figures.style.save_figure`).
    """
    printed = read_published(published)
    rows = []
    for path, limits, run in zip(metrics, intervals, runs, strict=True):
        quoted = read_intervals(limits, ["accuracy"]).loc[(POOLED, "accuracy")]
        of_run = printed.query("dataset == @run['reproduces'] and model == @run['model']")
        values = sorted({float(value) / 100 for value in of_run["accuracy"] if value})
        ends = {"accuracy": quoted["value"], "lower": quoted["lower"], "upper": quoted["upper"]}
        rows.append(run | accuracy_of(read_metrics(path)) | ends | {"printed": values})
    style.save_figure(accuracy_comparison(rows, title), paths)


def accuracy_of(metrics: pd.DataFrame) -> dict:
    """Return a run's accuracy (fractions): its headline value and the value of each fold."""
    folds = metrics.loc[fold_scopes(metrics.index), "accuracy"].tolist()
    return {"accuracy": metrics.at[headline_scope(metrics), "accuracy"], "folds": folds}


@style.styled
def accuracy_comparison(rows: Sequence[dict], title: str) -> Figure:
    """Draw a mark for each model and protocol, with its folds and its 95 % interval.

    Args:
        rows: For each run model, model_title, protocol, protocol_title, accuracy, lower and upper
            (NaN where there is no interval), folds (accuracy of each) and printed (values of the
            thesis); fractions.
        title: Title of the figure.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    model_titles = {row["model"]: row["model_title"] for row in rows}
    protocols = list(dict.fromkeys(row["protocol"] for row in rows))
    wide = len(models) * len(protocols) > 6
    width = style.TWO_COLUMNS if wide else style.ONE_COLUMN
    figure = Figure(figsize=(width, 78 * style.MILLIMETRE))
    axes = figure.subplots()
    step = 0.7 / len(protocols)
    for row in rows:
        order = protocols.index(row["protocol"])
        place = models.index(row["model"]) + (order - (len(protocols) - 1) / 2) * step
        _draw_run(axes, row, place, step, order)
    for position, model in enumerate(models):
        printed = {value for row in rows if row["model"] == model for value in row["printed"]}
        _draw_printed(axes, position, sorted(printed))
    characters = int((110 if wide else 44) / len(models))
    axes.set_xticks(range(len(models)), [style.wrap(model_titles[m], characters) for m in models])
    axes.set_xlim(-0.6, len(models) - 0.4)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("Accuracy (%), 95 % interval")
    axes.margins(y=0.08)
    axes.grid(axis="y")
    style.set_percent_axis(axes)
    axes.set_title(style.wrap(title, 100 if wide else 48))
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if PRINTED in unique:
        unique[PRINTED] = unique.pop(PRINTED)
    figure.legend(
        unique.values(),
        [style.wrap(label, 40, lines=2) for label in unique],
        loc="outside lower center",
        ncols=4 if wide else 2,
    )
    return figure


def plot_literature_comparison(
    metrics: Paths,
    runs: Sequence[dict],
    comparable: Sequence[dict],
    literature: str | os.PathLike,
    published: str | os.PathLike,
    paths: Paths,
) -> None:
    """Draw our accuracies among the literature's and the thesis' (thesis Fig. 5.21).

    Args:
        metrics: ``metrics.tsv`` of each run.
        runs: For each run, in the same order, a dict with dataset, protocol and model, and their
            titles (``dataset_title`` ...).
        comparable: dataset, protocol and model of the runs to draw: those on true images of cells.
            Source tasks and generated images are no published task.
        literature: ``resources/literature.tsv``.
        published: ``resources/published_results.tsv``.
        paths: Figures to write.
    """
    entries = literature_entries(read_literature(literature), read_published(published))
    for path, run in zip(metrics, runs, strict=True):
        if {key: run[key] for key in ("dataset", "protocol", "model")} not in comparable:
            continue
        name = f"{run['model_title']}, {run['dataset_title']}, {run['protocol_title']}"
        accuracy = accuracy_of(read_metrics(path))["accuracy"]
        entries.append({"name": name, "kind": "measured", "accuracy": accuracy})
    style.save_figure(literature_comparison(entries), paths)


def literature_entries(literature: pd.DataFrame, published: pd.DataFrame) -> list[dict]:
    """List what is printed: the literature, and the thesis' DenseNet169 on both data sets.

    Args:
        literature: As :func:`blastfold.reporting.tables.reproduction.read_literature` returns it.
        published: As :func:`blastfold.reporting.tables.reproduction.read_published` returns it.

    Returns:
        Dicts with name, kind ("literature" or "thesis") and accuracy (fraction). The thesis
        compares DenseNet169 alone; each accuracy that it prints for it is an entry.
    """
    entries = [
        {
            "name": f"{row['first_author']} [{row['reference']}], {row['classifier']}"
            + (f" ({row['note']})" if row["note"] else ""),
            "kind": "literature",
            "accuracy": float(row["accuracy"]) / 100,
        }
        for row in literature.to_dict("records")
    ]
    chosen = published[(published["model"] == "densenet169") & (published["accuracy"] != "")]
    for row in chosen.drop_duplicates(["dataset", "accuracy"]).to_dict("records"):
        name = f"{MODEL_TITLES[row['model']]}, {row['dataset']} ({row['source']})"
        entries.append({"name": name, "kind": "thesis", "accuracy": float(row["accuracy"]) / 100})
    return entries


@style.styled
def literature_comparison(entries: Sequence[dict]) -> Figure:
    """Draw sorted horizontal bars: literature, the thesis' printed values, our measured ones.

    Args:
        entries: Dicts with name, kind ("literature", "thesis" or "measured") and accuracy
            (fraction).
    """
    looks = {
        "literature": {"color": style.LIGHT_GREY, "label": "Literature, as the thesis lists it"},
        "thesis": {
            "color": "white",
            "edgecolor": style.VERMILLION,
            "hatch": "/////",
            "label": PRINTED,
        },
        "measured": {"color": style.BLUE, "label": "Measured here"},
    }
    ordered = sorted(entries, key=lambda entry: entry["accuracy"])
    figure = Figure(figsize=(style.TWO_COLUMNS, (22 + 4.6 * len(ordered)) * style.MILLIMETRE))
    axes = figure.subplots()
    for kind, look in looks.items():
        places = [place for place, entry in enumerate(ordered) if entry["kind"] == kind]
        values = [ordered[place]["accuracy"] for place in places]
        if places:
            bars = axes.barh(places, values, height=0.72, linewidth=0.8, **look)
            weight = "bold" if kind == "measured" else "normal"
            texts = [f"{100 * value:.2f}" for value in values]
            axes.bar_label(bars, texts, padding=3, fontsize=7, fontweight=weight)
    axes.set_yticks(
        range(len(ordered)), [style.wrap(entry["name"], 64, lines=1) for entry in ordered]
    )
    for tick, entry in zip(axes.get_yticklabels(), ordered, strict=True):
        tick.set_fontweight("bold" if entry["kind"] == "measured" else "normal")
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlim(0, 1.08)
    axes.set_xticks(np.arange(0, 1.01, 0.2))
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Accuracy (%); tasks, images and protocols differ")
    style.set_percent_axis(axes, "x")
    figure.legend(loc="outside upper center", ncols=3)
    return figure


def _draw_run(axes: Axes, row: dict, place: float, step: float, order: int) -> None:
    colour = style.SERIES[order % len(style.SERIES)]
    folds = row["folds"]
    if len(folds) > 1:
        offsets = np.linspace(-0.28, 0.28, len(folds)) * step
        axes.scatter(place + offsets, folds, s=7, color=colour, alpha=0.45, linewidths=0, zorder=2)
    ends = row["accuracy"] - row["lower"], row["upper"] - row["accuracy"]
    # An interval of the exact kind may touch the value; rounding must not cross it.
    spread = None if np.isnan(ends).any() else np.clip(ends, 0, None)[:, np.newaxis]
    axes.errorbar(
        place,
        row["accuracy"],
        yerr=spread,
        color=colour,
        marker=style.MARKERS[order % len(style.MARKERS)],
        markersize=5.5,
        markeredgecolor="white",
        markeredgewidth=0.5,
        capsize=2.5,
        elinewidth=1,
        linestyle="none",
        label=row["protocol_title"],
        zorder=3,
    )


def _draw_printed(axes: Axes, position: int, printed: Sequence[float]) -> None:
    if printed:
        axes.hlines(
            printed,
            position - 0.42,
            position + 0.42,
            color=style.BLACK,
            linewidth=0.9,
            linestyle=(0, (4, 2)),
            label=PRINTED,
            zorder=1,
        )
