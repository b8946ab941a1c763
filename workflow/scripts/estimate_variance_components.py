"""Estimate how much seeds, splits and subjects move the results of one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.variance_components import estimate_variance_components

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    estimate_variance_components(
        predictions=snakemake.input.predictions,
        runs=snakemake.params.runs,
        groups=snakemake.input.groups,
        output=snakemake.output.components,
    )
