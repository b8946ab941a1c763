"""Import one data set into the image store."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.datasets.importing import import_dataset, read_expected

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    import_dataset(
        name=snakemake.wildcards.dataset,
        path=snakemake.input.raw,
        settings=snakemake.params.dataset,
        expected=read_expected(snakemake.input.expected, snakemake.params.dataset["format"]),
        images=snakemake.output.images,
        manifest=snakemake.output.manifest,
        rejected=snakemake.output.rejected,
        summary=snakemake.output.summary,
        threads=snakemake.threads,
    )
