"""Draw images with random changes of them, as training sees them."""

from typing import TYPE_CHECKING

from blastfold.figures.dataset_figures import plot_augmented_images
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_augmented_images(
        samples=snakemake.input.samples,
        paths=snakemake.output,
    )
