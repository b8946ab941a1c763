"""Draw from which start weights every network goes to which data sets."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.transfer import plot_transfer

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_transfer(snakemake.params.ways, snakemake.output)
