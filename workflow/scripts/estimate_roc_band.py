"""Estimate the band of one model's ROC curve and the interval of its AUC."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.operating_points import estimate_roc_band

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    estimate_roc_band(
        predictions=list(snakemake.input.predictions),
        groups=snakemake.input.groups,
        seed=snakemake.params.seed,
        run=list(snakemake.wildcards),
        output=snakemake.output.band,
    )
