"""Compute the attributions of the networks of all folds for a sample of test cells."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings
    from blastfold.training.explanation_job import Sample, explain_networks, models_of

    stored, params = snakemake.input, snakemake.params
    names = snakemake.wildcards
    explain_networks(
        models_of(params.models, stored.networks, stored.predictions),
        stored.images,
        stored.manifest,
        Sample(**params.sample, place=(names.dataset, names.protocol, names.external)),
        JobSettings.of_rule(params, snakemake.resources.get("gpu", 1)),
        dict(snakemake.output.items()),
    )
