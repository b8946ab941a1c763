"""Tabulate and draw what one model predicts of every class of another data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.classes import plot_class_confusion
from blastfold.reporting.tables.classes import tabulate_classes
from blastfold.reporting.tables.external_test import title_with_missing

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, snakemake.output
title = title_with_missing(snakemake.params.title, stored.record)
label = f"tab:classes-{'-'.join(snakemake.wildcards)}"
with log_to(snakemake.log[0]):
    tables = stored.metrics, stored.confusion, stored.predictions
    tabulate_classes(*tables, title, label, outputs.classes)
    plot_class_confusion(stored.confusion, title, outputs.confusion)
