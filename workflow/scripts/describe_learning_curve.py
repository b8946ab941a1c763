"""Tabulate and draw the learning curve of an ablation."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.ablation import plot_learning_curve
from blastfold.reporting.tables.ablation import tabulate_learning_curve

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

curve, settings = snakemake.input.curve, snakemake.params
label = f"tab:ablation-{snakemake.wildcards.ablation}-learning-curve"
about = (settings.titles, settings.title)
with log_to(snakemake.log[0]):
    tabulate_learning_curve(curve, *about, label, snakemake.output.table)
    plot_learning_curve(curve, *about, snakemake.output.figure)
