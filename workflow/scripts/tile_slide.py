"""Cut one slide into tiles."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.slides.tiling import tile_slide

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tile_slide(
        slide=snakemake.wildcards.slide,
        row={
            "path": snakemake.input.generated or snakemake.params.place.path,
            **snakemake.params.row,
        },
        settings=snakemake.params.settings,
        outputs=dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
