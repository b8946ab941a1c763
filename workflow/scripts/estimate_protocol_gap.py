"""Estimate how much the protocols of one data set differ."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.protocol_gap import estimate_protocol_gap

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    estimate_protocol_gap(
        predictions=snakemake.input.predictions,
        runs=snakemake.params.runs,
        groups=snakemake.input.groups,
        output=snakemake.output.gap,
        primary=snakemake.params.primary,
        family=snakemake.params.family,
    )
