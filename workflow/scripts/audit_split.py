"""Find what crosses from the test part of a split to its training part."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.leakage.split_audit import audit_split

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    audit_split(
        **dict(snakemake.input.items()),
        name=snakemake.wildcards.protocol,
        leakage=snakemake.params.leakage,
        independent=snakemake.params.independent,
        **dict(snakemake.output.items()),
    )
