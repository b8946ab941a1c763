"""Draw images before and after stain normalisation."""

from typing import TYPE_CHECKING

from blastfold.figures.stain_figures import plot_stain
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_stain(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        record=snakemake.input.record,
        paths=snakemake.output,
    )
