"""Measure latency, throughput and memory of every network on this machine."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings
    from blastfold.planning.network_speed import measure_networks

    params = snakemake.params
    settings = {**params.job, **vars(params.place), "code": params.code}
    compute = JobSettings(**settings, gpu=snakemake.resources.get("gpu", 1))
    measure_networks(params.networks, compute, snakemake.output.measured)
