"""Tabulate and draw the results of all models on one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.accuracy import plot_accuracy_comparison
from blastfold.reporting.tables.results import tabulate_results

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

metrics, intervals = snakemake.input.metrics, snakemake.input.intervals
runs, title = snakemake.params.runs, snakemake.params.title
label = f"tab:results-{snakemake.wildcards.dataset}"
with log_to(snakemake.log[0]):
    tabulate_results(metrics, intervals, runs, title, label, snakemake.output.table)
    plot_accuracy_comparison(
        snakemake.input.drawn,
        snakemake.params.drawn,
        snakemake.input.published,
        title,
        snakemake.output.figure,
    )
