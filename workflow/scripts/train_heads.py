"""Train the heads of all folds of one model."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings, ModelSettings, Run
    from blastfold.training.files import FoldFiles, HeadOutputs
    from blastfold.training.heads_job import train_heads

    names, params = snakemake.wildcards, snakemake.params
    train_heads(
        FoldFiles.named(snakemake.input),
        snakemake.input.features,
        ModelSettings.read(params.model),
        JobSettings.of_rule(params, gpu=0),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        HeadOutputs.named(snakemake.output),
    )
