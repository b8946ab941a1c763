"""Draw which share of the test images each split knows already."""

from typing import TYPE_CHECKING

from blastfold.figures.audit_figures import plot_leakage
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_leakage(
        leakage=snakemake.input.leakage,
        paths=snakemake.output,
    )
