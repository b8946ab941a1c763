"""Draw and tabulate one model under one protocol: its training, its folds, its confusions."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_performance
from blastfold.figures.evaluation_figures import plot_confusion_matrix
from blastfold.figures.training_figures import plot_training_curves
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, title = snakemake.input, snakemake.output, snakemake.params.title
label = "tab:" + "-".join(snakemake.wildcards)
with log_to(snakemake.log[0]):
    tabulate_performance(stored.metrics, title, label, outputs.performance)
    plot_confusion_matrix(stored.confusion, title, outputs.confusion_matrix)
    plot_training_curves(stored.histories, title, outputs.training_curves)
