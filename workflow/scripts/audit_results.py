"""Audit the printed results of the thesis."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.printed_audit import tabulate_printed_audit

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, snakemake.output
with log_to(snakemake.log[0]):
    tabulate_printed_audit(stored.published, stored.split_sizes, outputs.matrices, outputs.printed)
