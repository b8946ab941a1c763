"""Fit the reference statistics of a stain normalisation on the training images of every fold."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.folds.stain_reference import fit_stain

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    fit_stain(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        folds=snakemake.input.folds,
        method=snakemake.wildcards.stain,
        records=snakemake.output.records,
        mean_images=snakemake.output.mean_images,
    )
