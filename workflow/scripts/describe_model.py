"""Draw and tabulate one model under one protocol: its training, its folds, its confusions."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.evaluation import plot_confusion_matrix
from blastfold.reporting.figures.training import plot_training_curves
from blastfold.reporting.tables.results import tabulate_performance

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, title = snakemake.input, snakemake.output, snakemake.params.title
label = "tab:" + "-".join(snakemake.wildcards)
with log_to(snakemake.log[0]):
    tabulate_performance(stored.metrics, title, label, outputs.performance)
    plot_confusion_matrix(stored.confusion, title, outputs.confusion_matrix)
    plot_training_curves(stored.history, title, outputs.training_curves)
