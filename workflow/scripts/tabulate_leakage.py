"""Write what crosses from test to training and validation."""

from typing import TYPE_CHECKING

from blastfold.audit_tables import tabulate_leakage
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_leakage(
        leakage=snakemake.input.leakage,
        manifests=dict(zip(snakemake.params.datasets, snakemake.input.manifests, strict=True)),
        splits=snakemake.params.splits,
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
