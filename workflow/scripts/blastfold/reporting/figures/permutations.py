"""The figure of results on permuted labels with the result on the true ones."""

import os
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from blastfold.core.permutation_table import BY_IMAGE, BY_SUBJECT
from blastfold.core.tables import read_table
from blastfold.reporting.figures import style
from blastfold.reporting.tables.permutations import KEYS, read_tests

Paths = Iterable[str | os.PathLike]

COLOURS = {BY_SUBJECT: style.ORANGE, BY_IMAGE: style.GREY}
NAMES = {BY_SUBJECT: "Labels permuted among subjects", BY_IMAGE: "Labels permuted among images"}

BINS = np.linspace(0, 1, 51)

PANELS = 2
"""Panels in one row at most."""


def plot_permutations(
    tests: str | os.PathLike,
    results: str | os.PathLike,
    runs: Sequence[Mapping[str, str]],
    paths: Paths,
) -> None:
    """Draw the distribution of every run.

    Args:
        tests: ``permutation_tests.tsv``.
        results: ``permutations.tsv`` of all runs: the mean AUC of each permutation.
        runs: dataset, protocol and model of every run with their titles.
        paths: Figures to write.
    """
    areas = read_table(results, (*KEYS, "labels", "auc"), text=(*KEYS, "labels"))
    areas = areas.astype({"auc": "float64"})
    style.save_figure(distributions(read_tests(tests), areas, runs), paths)


@style.styled
def distributions(
    tests: pd.DataFrame, areas: pd.DataFrame, runs: Sequence[Mapping[str, str]]
) -> Figure:
    """Draw a histogram for each kind of permutation, one panel per run.

    Args:
        tests: As :func:`blastfold.reporting.tables.permutations.read_tests` returns it.
        areas: dataset, protocol, model, labels and auc of every permutation.
        runs: dataset, protocol and model of every run with their titles.
    """
    lines = -(-len(runs) // PANELS)
    figure = Figure(figsize=(style.TWO_COLUMNS, (14 + 45 * lines) * style.MILLIMETRE))
    grid = figure.subplots(lines, min(PANELS, len(runs)), squeeze=False, sharex=True)
    for axes in grid.flat[len(runs) :]:
        axes.set_visible(False)
    for axes, run in zip(grid.flat, runs, strict=False):
        _draw_run(axes, _of_run(tests, run), _of_run(areas, run))
        title = f"{run['model_title']}: {run['dataset_title']}, {run['protocol_title']}"
        axes.set_title(style.wrap(title, 56, 2))
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _of_run(table: pd.DataFrame, run: Mapping[str, str]) -> pd.DataFrame:
    return table[np.logical_and.reduce([table[key] == run[key] for key in KEYS])]


def _draw_run(axes, tests: pd.DataFrame, areas: pd.DataFrame) -> None:
    for kind, colour in COLOURS.items():
        values = areas.loc[areas["labels"] == kind, "auc"].dropna()
        look = {"color": colour, "alpha": 0.6, "edgecolor": "white", "linewidth": 0.3}
        axes.hist(values, BINS, label=NAMES[kind], **look)
    axes.axvline(0.5, color=style.BLACK, linewidth=0.6)
    observed = tests["observed"].dropna()
    if len(observed):
        axes.axvline(observed.iloc[0], color=style.BLUE, linewidth=1.6, label="True labels")
    texts = [
        f"{'subjects' if row['labels'] == BY_SUBJECT else 'images'}: p = {row['p_value']:.3f}"
        for row in tests.to_dict("records")
        if not np.isnan(row["p_value"])
    ]
    axes.text(0.02, 0.97, "\n".join(texts), transform=axes.transAxes, va="top", fontsize=7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("Mean AUC of the folds (%)")
    axes.set_ylabel("Permutations")
    style.set_percent_axis(axes, "x")
