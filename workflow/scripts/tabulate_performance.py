"""Write the performance of one model, fold by fold."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_performance
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_performance(
        metrics=snakemake.input.metrics,
        title=snakemake.params.title,
        label="tab:" + "-".join(snakemake.wildcards),
        paths=snakemake.output,
    )
