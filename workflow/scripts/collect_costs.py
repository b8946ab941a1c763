"""Write the table of what every job cost."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.compute_cost import collect_costs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    collect_costs(
        trainings=snakemake.params.trainings,
        runs=snakemake.input.runs,
        jobs=snakemake.params.jobs,
        benchmarks=snakemake.params.benchmarks,
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
