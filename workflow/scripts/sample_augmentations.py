"""Augment a few images for the figure of thesis Fig. 4.4."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.networks.augmentation_samples import sample_augmentations

    sample_augmentations(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        settings=snakemake.params.augmentation,
        seed=snakemake.params.seed,
        samples=snakemake.output.samples,
    )
