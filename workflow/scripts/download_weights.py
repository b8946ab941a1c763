"""Fetch the ImageNet weights of one network."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.networks.imagenet_weights import download_weights
    from blastfold.training.device import set_up_device

    # On the CPU: a network that is only stored must not take the memory of a GPU.
    set_up_device("cpu", 1, gpu=0)
    download_weights(
        architecture=snakemake.wildcards.architecture,
        weights=snakemake.output.weights,
        record=snakemake.output.record,
    )
