"""Predict all images of another data set with the networks of all folds."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.external_application import apply_models

    apply_models(
        **{name: snakemake.input[name] for name in ("models", "images", "manifest", "dataset")},
        device={
            "device": snakemake.params.device,
            "threads": snakemake.threads,
            "gpu": snakemake.resources.get("gpu", 1),
        },
        outputs=dict(snakemake.output.items()),
    )
