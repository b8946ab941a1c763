"""Tabulate and draw our results with those of the thesis and of the literature."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.accuracy import plot_literature_comparison
from blastfold.reporting.tables.reproduction import tabulate_literature, tabulate_reproduction

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, runs = snakemake.input, snakemake.output, snakemake.params.runs
metrics, literature, published = stored.metrics, stored.literature, stored.published
with log_to(snakemake.log[0]):
    tabulate_literature(literature, outputs.literature)
    tabulate_reproduction(published, metrics, runs, outputs.reproduction)
    plot_literature_comparison(
        metrics, runs, snakemake.params.comparable, literature, published, outputs.figure
    )
