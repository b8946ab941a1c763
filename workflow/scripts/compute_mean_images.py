"""Average the training images of every fold of a split."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.folds.mean_image import compute_mean_images

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    compute_mean_images(**dict(snakemake.input.items()), **dict(snakemake.output.items()))
