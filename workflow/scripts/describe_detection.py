"""Tabulate detected leukocytes, and draw every miss and every false detection."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.detection import plot_detection
from blastfold.reporting.tables.detection import tabulate_detection

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, made, title = snakemake.input, snakemake.output, snakemake.params.title
with log_to(snakemake.log[0]):
    label = "-".join(snakemake.wildcards)
    tabulate_detection(stored.judged, stored.measures, title, label, made.table)
    plot_detection(stored.measures, stored.errors, stored.pictures, title, made.figure)
