"""Draw the precision-recall curves of all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.figures.evaluation_figures import plot_precision_recall
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_precision_recall(
        curves=snakemake.input.curves,
        confusions=snakemake.input.confusions,
        models=snakemake.params.models,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
