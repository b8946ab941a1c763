"""Write the settings that were tried and chosen in every fold."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.tuning import tabulate_tuning

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_tuning(snakemake.input.records, snakemake.params.runs, snakemake.output)
