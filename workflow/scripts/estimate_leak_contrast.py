"""Estimate the effect of leaked images, on the same test images and equal training sets."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.leak_contrast import estimate_leak_contrast

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    estimate_leak_contrast(
        predictions=snakemake.input.predictions,
        contrasts=snakemake.params.contrasts,
        groups=snakemake.input.groups,
        primary=snakemake.params.primary,
        family=snakemake.params.family,
        output=snakemake.output.contrast,
    )
