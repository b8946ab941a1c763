"""Permute the labels of a data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.datasets.permuted_labels import permute_labels

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
