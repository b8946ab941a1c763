"""Draw the ROC curves of all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.figures.evaluation_figures import plot_roc
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_roc(
        curves=snakemake.input.curves,
        metrics=snakemake.input.metrics,
        bands=snakemake.input.bands,
        models=snakemake.params.models,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
