"""Write the accuracies that the literature reports."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.reproduction import tabulate_literature

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_literature(
        literature=snakemake.input.literature,
        paths=snakemake.output,
    )
