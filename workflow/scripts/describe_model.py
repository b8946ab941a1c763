"""Draw and tabulate one model under one protocol: its training, its folds, its confusions."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.evaluation import plot_confusion_matrix
from blastfold.reporting.figures.subjects import plot_subjects
from blastfold.reporting.figures.training import plot_training_curves
from blastfold.reporting.tables.classification_report import tabulate_report
from blastfold.reporting.tables.results import tabulate_performance
from blastfold.reporting.tables.subjects import tabulate_subjects

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, title = snakemake.input, snakemake.output, snakemake.params.title
dataset, label = snakemake.wildcards.dataset, "-".join(snakemake.wildcards)
with log_to(snakemake.log[0]):
    tabulate_performance(stored.metrics, title, f"tab:{label}", outputs.performance)
    tabulate_report(stored.report, title, f"tab:report-{label}", outputs.report)
    tabulate_subjects(
        stored.subjects, dataset, title, f"tab:subjects-{label}", outputs.subjects_table
    )
    predicted = stored.subjects, stored.predictions, stored.manifest
    plot_subjects(*predicted, title, outputs.subjects)
    plot_confusion_matrix(stored.confusion, title, outputs.confusion_matrix)
    plot_training_curves(stored.history, title, outputs.training_curves)
