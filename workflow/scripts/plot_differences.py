"""Draw the differences of all pairs of models."""

from typing import TYPE_CHECKING

from blastfold.figures.inference_figures import plot_differences
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_differences(
        comparisons=snakemake.input.comparisons,
        titles=snakemake.params.titles,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
