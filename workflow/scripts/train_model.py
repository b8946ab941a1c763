"""Train one model on one fold."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings, ModelSettings, Run
    from blastfold.training.files import FoldFiles, FoldOutputs
    from blastfold.training.fold_job import train_model

    names, params = snakemake.wildcards, snakemake.params
    train_model(
        FoldFiles.named(snakemake.input),
        int(names.fold),
        ModelSettings.read(params.model),
        JobSettings.of_rule(params, snakemake.resources.get("gpu", 1)),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        FoldOutputs.named(snakemake.output),
    )
