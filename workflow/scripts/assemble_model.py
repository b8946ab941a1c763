"""Put a trained head and its frozen backbone together."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.heads_job import assemble_model

    files = ("images", "mean_image", "stain", "weights", "head")
    assemble_model(
        {name: snakemake.input.get(name) or None for name in files},
        fold=int(snakemake.wildcards.fold),
        settings=snakemake.params.model,
        run={
            **dict(snakemake.params.items()),
            "names": [snakemake.wildcards[name] for name in ("dataset", "protocol", "model")],
            "threads": snakemake.threads,
        },
        output=snakemake.output.model,
    )
