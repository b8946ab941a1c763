"""Calibrate one model under one protocol and choose its operating points."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.operating_points import calibrate_model

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    calibrate_model(
        predictions=list(snakemake.input.predictions),
        folds=snakemake.input.folds,
        groups=snakemake.input.groups,
        seed=snakemake.params.seed,
        run=list(snakemake.wildcards),
        outputs=dict(snakemake.output.items()),
    )
