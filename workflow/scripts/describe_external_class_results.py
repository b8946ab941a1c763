"""Tabulate and draw the results over all classes of every test on another data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.external_test import plot_external_classes
from blastfold.reporting.tables.external_classes import tabulate_external_classes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, runs, outputs = snakemake.input, snakemake.params.runs, snakemake.output
files = stored.internal, stored.single, stored.external, stored.records
with log_to(snakemake.log[0]):
    tabulate_external_classes(*files, runs, outputs.table)
    plot_external_classes(*files, runs, outputs.figure)
