"""Draw accuracy and AUC under every protocol of one data set."""

from typing import TYPE_CHECKING

from blastfold.figures.inference_figures import plot_protocol_gap
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_protocol_gap(
        metrics=snakemake.input.metrics,
        intervals=snakemake.input.intervals,
        runs=snakemake.params.runs,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
