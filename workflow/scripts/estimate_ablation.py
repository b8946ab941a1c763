"""Estimate the effect of each choice of an ablation."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.ablation import estimate_ablation

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    estimate_ablation(snakemake.input, snakemake.params.plan, snakemake.output)
