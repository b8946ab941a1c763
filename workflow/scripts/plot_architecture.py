"""Draw the schematic of one network."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.architecture import plot_architecture

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_architecture(
        layers=snakemake.input.layers,
        image_size=snakemake.params.image_size,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
