"""Tabulate and draw the results of all models on one data set."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_results
from blastfold.figures.comparison_figures import plot_accuracy_comparison
from blastfold.logs import log_to

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
