"""Tabulate and draw the differences between the models of one protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.comparisons import plot_differences
from blastfold.reporting.tables.comparisons import tabulate_comparisons

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

comparisons, outputs = snakemake.input.comparisons, snakemake.output
titles, title = snakemake.params.titles, snakemake.params.title
controls = snakemake.params.controls
label = f"tab:comparisons-{'-'.join(snakemake.wildcards)}"
with log_to(snakemake.log[0]):
    tabulate_comparisons(comparisons, titles, title, label, outputs.table, controls)
    plot_differences(comparisons, titles, title, outputs.figure)
