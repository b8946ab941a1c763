"""Count what networks cost, and compare models with models that cost more."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.evaluation.efficiency import estimate_efficiency

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params = snakemake.input, snakemake.params
with log_to(snakemake.log[0]):
    estimate_efficiency(
        layers=stored.layers,
        networks=params.networks,
        intervals=stored.intervals,
        comparisons=stored.comparisons,
        runs=params.runs,
        primary=params.primary,
        counts=snakemake.output.counts,
        efficiency=snakemake.output.efficiency,
    )
