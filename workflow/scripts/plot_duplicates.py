"""Draw duplicates side by side."""

from typing import TYPE_CHECKING

from blastfold.figures.audit_figures import plot_duplicates
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_duplicates(
        images=snakemake.input.images,
        manifest=snakemake.input.manifest,
        duplicates=snakemake.input.duplicates,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
