"""Combine a trained head and its frozen backbone."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings, ModelSettings, Run
    from blastfold.training.files import StartFiles
    from blastfold.training.heads_job import assemble_model

    names, params = snakemake.wildcards, snakemake.params
    assemble_model(
        StartFiles.named(snakemake.input),
        snakemake.input.heads,
        int(names.fold),
        ModelSettings.read(params.model),
        JobSettings(**params.job, **vars(params.place), code=params.code, gpu=0),
        Run(names.dataset, names.protocol, names.model, params.image_source),
        snakemake.output.model,
    )
