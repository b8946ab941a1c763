"""Draw images before and after stain normalisation."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.stain import plot_stain

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_stain(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        records=snakemake.input.records,
        paths=snakemake.output,
    )
