"""Measure colours and the size of the cell in every image of a data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.datasets.measures import measure_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    measure_images(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        settings=snakemake.params.settings,
        folder=snakemake.params.place.folder,
        output=snakemake.output.measures,
    )
