"""Combine the trained heads of all folds and their frozen backbones."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.manifest import read_classes
    from blastfold.core.settings import JobSettings, Run
    from blastfold.training.files import StartFiles
    from blastfold.training.heads_job import assemble_networks

    names, params = snakemake.wildcards, snakemake.params
    assemble_networks(
        StartFiles.named(snakemake.input),
        snakemake.input.heads,
        snakemake.input.runs,
        JobSettings.of_rule(params, gpu=0),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        snakemake.output.networks,
        len(read_classes(snakemake.input.dataset)),
    )
