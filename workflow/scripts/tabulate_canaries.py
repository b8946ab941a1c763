"""Write the results on permuted labels and on the true ones."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.canaries import tabulate_canaries

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_canaries(
        metrics=snakemake.input.metrics,
        intervals=snakemake.input.intervals,
        runs=snakemake.params.runs,
        paths=snakemake.output,
    )
