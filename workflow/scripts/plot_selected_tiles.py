"""Draw the tiles of each class with the best and the worst scores."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.selection import plot_selected_tiles

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_selected_tiles(
        images=snakemake.input.images,
        tiles=snakemake.input.tiles,
        paths=snakemake.output,
    )
