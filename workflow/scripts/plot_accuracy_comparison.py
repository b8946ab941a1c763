"""Draw the accuracy of every model under every protocol."""

from typing import TYPE_CHECKING

from blastfold.figures.comparison_figures import plot_accuracy_comparison
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_accuracy_comparison(
        metrics=snakemake.input.metrics,
        runs=snakemake.params.runs,
        published=snakemake.input.published,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
