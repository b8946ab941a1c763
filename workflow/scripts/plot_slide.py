"""Draw one slide: thumbnail, tissue, kept and rejected tiles."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.slides import plot_slide

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_slide(
        table=snakemake.input.table,
        thumbnail=snakemake.input.thumbnail,
        paths=snakemake.output,
    )
