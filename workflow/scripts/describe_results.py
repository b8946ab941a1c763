"""Tabulate and draw the results of all models and trivial baselines on one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.accuracy import plot_accuracy_comparison
from blastfold.reporting.figures.baselines import plot_baselines
from blastfold.reporting.tables.baselines import tabulate_baselines
from blastfold.reporting.tables.results import tabulate_quoted, tabulate_results
from blastfold.reporting.tables.subjects import tabulate_subject_results

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, params = snakemake.input, snakemake.output, snakemake.params
title, name = params.title, snakemake.wildcards.dataset
metrics = [*stored.metrics, *stored.baseline_metrics]
intervals = [*stored.intervals, *stored.baseline_intervals]
runs = [*params.runs, *params.baselines]
compared = {"differences": stored.differences, "protocols": params.protocols, "title": title}
labels = [f"tab:{kind}-{name}" for kind in ("results", "baselines", "subject-results", "quoted")]
with log_to(snakemake.log[0]):
    tabulate_results(metrics, intervals, runs, title, labels[0], outputs.table)
    drawn = stored.drawn, stored.drawn_intervals, params.drawn
    elsewhere = {"identity": list(stored.identity), "learnt_before": params.learnt_before}
    tabulate_quoted(*drawn, elsewhere, title, labels[3], outputs.quoted)
    by_subject = params.runs, title, labels[2], outputs.subjects
    tabulate_subject_results(stored.subjects, *by_subject)
    plot_accuracy_comparison(*drawn, stored.published, title, outputs.figure)
    tabulate_baselines(**compared, titles=params.titles, label=labels[1], paths=outputs.baselines)
    plot_baselines(
        **compared,
        intervals=stored.shown_intervals,
        runs=params.with_baselines,
        paths=outputs.baselines_figure,
    )
