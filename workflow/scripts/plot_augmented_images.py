"""Draw images with random changes of them, as training sees them."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.datasets import plot_augmented_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_augmented_images(
        samples=snakemake.input.samples,
        paths=snakemake.output,
    )
