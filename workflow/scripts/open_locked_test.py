"""Record that a locked test set is opened."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.folds.locked_test import open_locked_test

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    place, repository = snakemake.params.place, vars(snakemake.params.repository)
    open_locked_test(
        snakemake.input.locked,
        snakemake.output.opening,
        {**vars(place.facts), **repository, "dataset": snakemake.wildcards.dataset},
        place.record,
    )
