"""Train the heads of all folds of one model."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.heads_job import train_heads

    files = ("images", "manifest", "dataset", "folds", "weights")
    outputs = dict(snakemake.output.items())
    train_heads(
        {name: snakemake.input.get(name) or None for name in files},
        features=list(snakemake.input.features),
        records=list(snakemake.input.records),
        settings=snakemake.params.model,
        run={
            **snakemake.params.run,
            "code": snakemake.params.code,
            "names": [snakemake.wildcards[name] for name in ("dataset", "protocol", "model")],
            "threads": snakemake.threads,
        },
        outputs=[
            dict(zip(outputs, paths, strict=True)) for paths in zip(*outputs.values(), strict=True)
        ],
    )
