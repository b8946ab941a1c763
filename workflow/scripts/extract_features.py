"""Extract the features of a data set by a frozen backbone."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.features import extract_features

    files = ("images", "manifest", "dataset", "weights", "folds")
    pairs = zip(snakemake.output.features, snakemake.output.record, strict=True)
    extract_features(
        {name: snakemake.input.get(name) or None for name in files},
        fitted={name: list(snakemake.input.get(name, [])) for name in ("mean_images", "stains")},
        settings=snakemake.params.features,
        run={
            **snakemake.params.run,
            "drawn_for": snakemake.params.drawn_for,
            "code": snakemake.params.code,
            "threads": snakemake.threads,
            "gpu": snakemake.resources.get("gpu", 1),
        },
        outputs=[{"features": features, "record": record} for features, record in pairs],
    )
