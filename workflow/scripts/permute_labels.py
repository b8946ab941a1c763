"""Permute the labels of a data set."""

from typing import TYPE_CHECKING

from blastfold.derived import permute_labels
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    permute_labels(
        base=dict(snakemake.input.items()),
        outputs=dict(snakemake.output.items()),
        name=snakemake.wildcards.dataset,
        settings=snakemake.params.dataset,
        seed=snakemake.params.seed,
    )
