"""Augment a few images for the figure of thesis Fig. 4.4."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import AugmentationSettings
    from blastfold.networks.augmentation_samples import sample_augmentations
    from blastfold.training.device import set_up_device

    # One thread: images must not depend on the number of cores.
    set_up_device("cpu", 1, gpu=0)

    sample_augmentations(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        settings=AugmentationSettings.read(snakemake.params.augmentation),
        seed=snakemake.params.seed,
        samples=snakemake.output.samples,
    )
