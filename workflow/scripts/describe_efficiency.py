"""Tabulate and draw accuracy against cost, under the honest protocol of a data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.efficiency import plot_efficiency
from blastfold.reporting.tables.efficiency import tabulate_efficiency

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params, outputs = snakemake.input, snakemake.params, snakemake.output
dataset = snakemake.wildcards.dataset
shown = {"efficiency": stored.efficiency, "measured": stored.measured or None}
shown |= {"dataset": dataset, "titles": params.titles, "title": params.title}
with log_to(snakemake.log[0]):
    tabulate_efficiency(**shown, label=f"tab:efficiency-{dataset}", paths=outputs.table)
    plot_efficiency(**shown, paths=outputs.figure)
