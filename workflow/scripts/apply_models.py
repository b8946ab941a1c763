"""Predict all images of another data set with the networks of all folds."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import JobSettings
    from blastfold.training.external_application import apply_models

    params = snakemake.params
    apply_models(
        **dict(snakemake.input.items()),
        compute=JobSettings.of_rule(params, snakemake.resources.get("gpu", 1)),
        outputs=dict(snakemake.output.items()),
        repeats=params.repeats,
        positive=params.positive,
    )
