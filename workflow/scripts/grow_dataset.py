"""Grow a data set by augmented copies of its images."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.networks.grown_datasets import grow_dataset
    from blastfold.training.device import set_deterministic, set_up_device

    # On the CPU everywhere, so that the data set does not depend on where it was grown.
    # One thread: images must not depend on the number of cores.
    set_up_device("cpu", 1, gpu=0)
    set_deterministic(snakemake.params.seed)
    grow_dataset(
        base=dict(snakemake.input.items()),
        outputs=dict(snakemake.output.items()),
        name=snakemake.wildcards.dataset,
        settings=snakemake.params.dataset,
        seed=snakemake.params.seed,
    )
