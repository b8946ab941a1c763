"""Split a data set by a protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.folds.assignment import assign_folds

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    assign_folds(
        manifest=snakemake.input.manifest,
        groups=snakemake.input.groups,
        folds=snakemake.output.folds,
        protocol=snakemake.params.protocol,
        seed=snakemake.params.seed,
        removed=snakemake.input.get("removed"),
    )
