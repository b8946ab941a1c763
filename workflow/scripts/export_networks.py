"""Export trained networks as Keras and ONNX files that agree."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

params = snakemake.params
with log_to(snakemake.log[0]):
    check_versions(params.packages, snakemake.config["other_versions"])
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.network_export import ExportFiles, export_networks

    export_networks(
        ExportFiles.named(snakemake.input),
        params.fold,
        params.about,
        params.crop,
        params.micrometres,
        dict(snakemake.output.items()),
        params.positive,
    )
