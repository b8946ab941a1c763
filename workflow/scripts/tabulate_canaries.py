"""Write the results on permuted labels beside those on the true ones."""

from typing import TYPE_CHECKING

from blastfold.canary_table import tabulate_canaries
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_canaries(
        metrics=snakemake.input.metrics,
        intervals=snakemake.input.intervals,
        runs=snakemake.params.runs,
        paths=snakemake.output,
    )
