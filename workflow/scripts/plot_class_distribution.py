"""Draw the number of images of each class."""

from typing import TYPE_CHECKING

from blastfold.figures.dataset_figures import plot_class_distribution
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_class_distribution(
        manifest=snakemake.input.manifest,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
