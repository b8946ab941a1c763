"""Find the leukocytes of a data set of photographs."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.core.raw_files import RawContent
from blastfold.datasets.detected_cells import detect_cells

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

digest, place = snakemake.params.raw, snakemake.params.place
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    detect_cells(
        folder=place.folder,
        settings=snakemake.params.settings,
        raw=RawContent(digest, place.cache) if digest else None,
        cells=snakemake.output.cells,
        photographs=snakemake.output.photographs,
        detector=place.detector,
        threads=snakemake.threads,
    )
