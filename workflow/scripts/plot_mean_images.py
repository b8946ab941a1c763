"""Draw the mean training image of every fold."""

from typing import TYPE_CHECKING

from blastfold.figures.dataset_figures import plot_mean_images
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_mean_images(
        mean_images=snakemake.input.mean_images,
        folds=snakemake.params.folds,
        paths=snakemake.output,
    )
