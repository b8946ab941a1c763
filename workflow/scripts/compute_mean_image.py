"""Average the training images of one fold."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.mean_image import compute_mean_image

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    compute_mean_image(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        folds=snakemake.input.folds,
        fold=int(snakemake.wildcards.fold),
        mean_image=snakemake.output.mean_image,
        record=snakemake.output.record,
    )
