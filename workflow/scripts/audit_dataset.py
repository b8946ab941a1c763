"""Find the duplicates of one data set and the leakage group of every image."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.leakage.duplicates import audit_dataset

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    audit_dataset(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        duplicates=snakemake.output.duplicates,
        groups=snakemake.output.groups,
        settings=snakemake.params.duplicates,
        threads=snakemake.threads,
        independent=snakemake.params.independent,
    )
