"""Write the characteristics of the data sets."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_datasets
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_datasets(
        descriptions=snakemake.input.descriptions,
        paths=snakemake.output,
    )
