"""Tabulate and draw the gap between the protocols of one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.comparisons import plot_protocol_gap
from blastfold.reporting.tables.comparisons import tabulate_protocol_gap

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, settings = snakemake.input, snakemake.output, snakemake.params
label = f"tab:protocol-gap-{snakemake.wildcards.dataset}"
with log_to(snakemake.log[0]):
    about = stored.gap, stored.folds, settings.titles, settings.title
    tabulate_protocol_gap(*about, label, outputs.table)
    plot_protocol_gap(*about, outputs.figure)
