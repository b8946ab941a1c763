"""Train one model on one fold."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

names = [snakemake.wildcards[name] for name in ("dataset", "protocol", "model")]
with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.fold_training import train_model

    train_model(
        **{name: snakemake.input[name] for name in ("images", "manifest", "dataset", "folds")},
        mean_image=snakemake.input.mean_image,
        weights=snakemake.input.get("weights") or None,
        fold=int(snakemake.wildcards.fold),
        settings=snakemake.params.model,
        run={
            "names": names,
            "threads": snakemake.threads,
            "gpu": snakemake.resources.get("gpu", 1),
            # Not a declared output: Snakemake deletes those of a job that was killed.
            "states": "results/unfinished_training",
            **{
                name: snakemake.params[name] for name in ("seed", "device", "deterministic", "code")
            },
        },
        outputs=dict(snakemake.output.items()),
    )
