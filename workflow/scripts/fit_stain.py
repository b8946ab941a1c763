"""Fit the reference statistics of a stain normalisation on the training images of one fold."""

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
        fold=int(snakemake.wildcards.fold),
        method=snakemake.wildcards.stain,
        record=snakemake.output.record,
        mean_image=snakemake.output.mean_image,
    )
