"""Choose a share of a data set's images."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.datasets.tile_selection import select_tiles

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

features = snakemake.input.get("features")
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    select_tiles(
        base=dict(snakemake.input.items()),
        features=f"{features}/shared.npy" if features else None,
        outputs=dict(snakemake.output.items()),
        name=snakemake.wildcards.dataset,
        settings=snakemake.params.dataset,
        seed=snakemake.params.seed,
    )
