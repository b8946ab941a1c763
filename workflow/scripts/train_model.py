"""Train one model on one fold."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.fold_job import train_model

    files = ("images", "manifest", "dataset", "folds", "mean_image", "stain", "weights")
    train_model(
        {name: snakemake.input.get(name) or None for name in files},
        fold=int(snakemake.wildcards.fold),
        settings=snakemake.params.model,
        run={
            **snakemake.params.run,
            "drawn_for": snakemake.params.drawn_for,
            "code": snakemake.params.code,
            "names": [snakemake.wildcards[name] for name in ("dataset", "protocol", "model")],
            "threads": snakemake.threads,
            "gpu": snakemake.resources.get("gpu", 1),
        },
        outputs=dict(snakemake.output.items()),
    )
