"""Tabulate and draw how much seeds, splits and subjects move the results of one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.variance_components import plot_variance_components
from blastfold.reporting.tables.variance_components import tabulate_variance_components

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

components, outputs = snakemake.input.components, snakemake.output
titles, title = snakemake.params.titles, snakemake.params.title
label = f"tab:variance-components-{snakemake.wildcards.dataset}"
with log_to(snakemake.log[0]):
    tabulate_variance_components(components, titles, title, label, outputs.table)
    plot_variance_components(components, titles, title, outputs.figure)
