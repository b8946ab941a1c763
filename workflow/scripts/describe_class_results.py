"""Tabulate the results over all classes of every run on one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.classes import tabulate_class_results

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params = snakemake.input, snakemake.params
label = f"tab:class-results-{snakemake.wildcards.dataset}"
with log_to(snakemake.log[0]):
    tabulate_class_results(stored.metrics, params.runs, params.title, label, snakemake.output)
