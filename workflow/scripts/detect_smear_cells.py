"""Find the leukocytes of the photographs of an application."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.core.raw_files import RawContent
from blastfold.smears.detection import detect_smear_cells

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

digest, place = snakemake.params.raw, snakemake.params.place
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    detect_smear_cells(
        folder=snakemake.input.get("generated") or place.folder,
        settings=snakemake.params.settings,
        raw=RawContent(digest, place.cache) if digest else None,
        outputs=dict(snakemake.output.items()),
        threads=snakemake.threads,
        detector=place.detector,
    )
