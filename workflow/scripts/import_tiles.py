"""Import the tiles of slides as a data set."""

from pathlib import Path
from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.datasets.importing import import_dataset

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    import_dataset(
        name=snakemake.wildcards.dataset,
        path=Path(snakemake.input.tiles[0]).parents[1],
        settings=snakemake.params.dataset,
        expected=None,
        raw=None,
        images=snakemake.output.images,
        manifest=snakemake.output.manifest,
        rejected=snakemake.output.rejected,
        summary=snakemake.output.summary,
        threads=snakemake.threads,
        positive=snakemake.params.place.positive,
    )
