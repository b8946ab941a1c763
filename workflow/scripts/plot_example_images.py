"""Draw example images of both classes."""

from typing import TYPE_CHECKING

from blastfold.figures.dataset_figures import plot_example_images
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_example_images(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        paths=snakemake.output,
    )
