"""Tabulate and draw what trained networks reach on another data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.external_test import plot_external_test
from blastfold.reporting.tables.external_test import tabulate_external_test

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, runs = snakemake.input, snakemake.params.runs
files = stored.internal, stored.single, stored.external
with log_to(snakemake.log[0]):
    tabulate_external_test(*files, runs, snakemake.output.table, stored.records)
    plot_external_test(*files, runs, snakemake.output.figure)
