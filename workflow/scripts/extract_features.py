"""Extract the features of a data set by a frozen backbone."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.core.settings import FeatureSettings, JobSettings
    from blastfold.training.features import extract_features
    from blastfold.training.files import FoldFiles

    params = snakemake.params
    extract_features(
        FoldFiles.named(snakemake.input),
        FeatureSettings.read(params.features),
        JobSettings.of_rule(params, snakemake.resources.get("gpu", 1)),
        params.image_source,
        snakemake.output.features,
    )
