"""Write the tables of what every job and every network cost."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.compute_cost import collect_costs
from blastfold.reporting.tables.network_cost import tabulate_network_costs

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params, outputs = snakemake.input, snakemake.params, snakemake.output
records = {"trainings": params.trainings, "runs": stored.runs, "titles": params.titles}
with log_to(snakemake.log[0]):
    collect_costs(
        **records,
        jobs=params.jobs,
        benchmarks=params.benchmarks,
        watts=params.watts,
        paths=outputs.jobs,
    )
    measured = {"counts": stored.counts, "measured": stored.measured or None}
    tabulate_network_costs(**records, **measured, paths=outputs.networks)
