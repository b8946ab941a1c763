"""Write the results of the locked tests and the record of their openings."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.locked_test import tabulate_locked_test

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    stored, params = snakemake.input, snakemake.params
    tabulate_locked_test(
        stored.internal,
        stored.single,
        stored.external,
        params.runs,
        vars(params.records),
        params.titles,
        dict(snakemake.output.items()),
    )
