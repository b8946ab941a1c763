"""Draw the tiles of each class with the best and the worst scores."""

from typing import TYPE_CHECKING

from blastfold.figures.selection_figures import plot_selected_tiles
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_selected_tiles(
        images=snakemake.input.images,
        tiles=snakemake.input.tiles,
        paths=snakemake.output,
    )
