"""Recompute every row of our results from its confusion matrix."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.result_audit import audit_own_results

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    audit_own_results(
        results=dict(zip(snakemake.params.datasets, snakemake.input.results, strict=True)),
        confusions=snakemake.input.confusions,
        runs=snakemake.params.runs,
        paths=snakemake.output,
    )
