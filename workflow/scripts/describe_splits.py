"""Tabulate the data sets and their splits; tabulate and draw what crosses the splits."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.audits import plot_leakage
from blastfold.reporting.tables.datasets import tabulate_datasets
from blastfold.reporting.tables.imports import tabulate_imports
from blastfold.reporting.tables.leakage import tabulate_leakage
from blastfold.reporting.tables.results import tabulate_splits

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, snakemake.output
splits, titles = snakemake.params.splits, snakemake.params.titles
with log_to(snakemake.log[0]):
    tabulate_datasets(
        stored.descriptions, titles["dataset"], snakemake.params.expected, outputs.datasets
    )
    tabulate_imports(stored.imported, titles["dataset"], outputs.imports)
    tabulate_splits(stored.folds, splits, titles, outputs.splits)
    tabulate_leakage(stored.leakage, splits, titles, outputs.leakage)
    plot_leakage(outputs.leakage[0], outputs.leakage_figure)
