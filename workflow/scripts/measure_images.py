"""Find the cell in every image of a data set, and measure colours and its size."""

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
        folder=snakemake.input.generated or snakemake.params.place.folder,
        output=snakemake.output.measures,
        cells=snakemake.output.cells,
    )
