"""Import one data set into the image store."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.raw_files import RawContent
from blastfold.datasets.detected_cells import detected_in
from blastfold.datasets.importing import import_dataset
from blastfold.datasets.photographs import PhotographFolder

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

digest, place = snakemake.params.raw, snakemake.params.place
with log_to(snakemake.log[0]):
    import_dataset(
        name=snakemake.wildcards.dataset,
        path=snakemake.input.generated or place.folder,
        settings=detected_in(snakemake.params.dataset, snakemake.input.detected),
        expected=place.expected,
        raw=RawContent(digest, place.cache) if digest else None,
        images=snakemake.output.images,
        manifest=snakemake.output.manifest,
        rejected=snakemake.output.rejected,
        summary=snakemake.output.summary,
        threads=snakemake.threads,
        grown=place.grown,
        positive=place.positive,
        photographs=PhotographFolder.planned(snakemake.params.photographs, place),
    )
