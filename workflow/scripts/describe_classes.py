"""Tabulate and draw what one model predicts of every class under one protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.classes import plot_classes
from blastfold.reporting.tables.class_subjects import tabulate_class_subjects
from blastfold.reporting.tables.classes import tabulate_classes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, title = snakemake.input, snakemake.output, snakemake.params.title
run = "-".join(snakemake.wildcards)
tables = stored.metrics, stored.confusion, stored.predictions
with log_to(snakemake.log[0]):
    tabulate_classes(*tables, title, f"tab:classes-{run}", outputs.classes)
    label = f"tab:class-subjects-{run}"
    tabulate_class_subjects(stored.subjects, title, label, outputs.subjects)
    plot_classes(dict(stored.items()), title, dict(outputs.items()))
