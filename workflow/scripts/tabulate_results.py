"""Write the results of one data set."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_results
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_results(
        metrics=snakemake.input.metrics,
        intervals=snakemake.input.intervals,
        runs=snakemake.params.runs,
        title=snakemake.params.title,
        label=f"tab:results-{snakemake.wildcards.dataset}",
        paths=snakemake.output,
    )
