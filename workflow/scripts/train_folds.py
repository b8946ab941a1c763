"""Train one model on every fold, one after another."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings, ModelSettings, Run
    from blastfold.training.files import FoldFiles, NetworkOutputs
    from blastfold.training.fold_job import train_folds

    names, params = snakemake.wildcards, snakemake.params
    train_folds(
        FoldFiles.named(snakemake.input),
        ModelSettings.read(params.model),
        JobSettings.of_rule(params, snakemake.resources.get("gpu", 1)),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        NetworkOutputs.named(snakemake.output),
    )
