"""Train the heads of one model on many permutations of the labels."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, names, params = snakemake.input, snakemake.wildcards, snakemake.params
with log_to(snakemake.log[0]):
    check_versions(params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings, ModelSettings, Run
    from blastfold.training.permutations_job import train_on_permutations

    train_on_permutations(
        *(stored.features, stored.manifest, stored.folds),
        ModelSettings.read(params.model),
        JobSettings.of_rule(params, gpu=0),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        params.permutations,
        snakemake.output.permutations,
    )
