"""Estimate the intervals of every metric of one model."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.intervals import estimate_intervals

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    estimate_intervals(
        predictions=snakemake.input.predictions,
        groups=snakemake.input.groups,
        folds=snakemake.input.folds,
        seed=snakemake.params.seed,
        names=list(snakemake.wildcards),
        output=snakemake.output.intervals,
    )
