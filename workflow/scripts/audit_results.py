"""Audit the printed results of the thesis, and our own by their confusion matrices."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.printed_audit import audit_own_results, tabulate_printed_audit

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, snakemake.output
results = dict(zip(snakemake.params.datasets, stored.results, strict=True))
with log_to(snakemake.log[0]):
    tabulate_printed_audit(stored.published, stored.split_sizes, outputs.matrices, outputs.printed)
    audit_own_results(results, stored.confusions, snakemake.params.runs, outputs.own)
