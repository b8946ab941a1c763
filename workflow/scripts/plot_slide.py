"""Draw one slide: thumbnail, tissue, kept and rejected tiles."""

from typing import TYPE_CHECKING

from blastfold.figures.slide_figures import plot_slide
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_slide(
        table=snakemake.input.table,
        thumbnail=snakemake.input.thumbnail,
        paths=snakemake.output,
    )
