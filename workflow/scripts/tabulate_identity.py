"""Write what models learn from and are tested on, and what both share."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.identity import tabulate_identity

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_identity(
        audits=snakemake.input.audits,
        splits=snakemake.params.splits,
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
