"""Draw our accuracies among those of the literature."""

from typing import TYPE_CHECKING

from blastfold.figures.comparison_figures import plot_literature_comparison
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_literature_comparison(
        metrics=snakemake.input.metrics,
        runs=snakemake.params.runs,
        literature=snakemake.input.literature,
        published=snakemake.input.published,
        paths=snakemake.output,
    )
