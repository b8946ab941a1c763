"""Write how many duplicates of each kind a data set has."""

from typing import TYPE_CHECKING

from blastfold.audit_tables import tabulate_duplicates
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_duplicates(
        duplicates=snakemake.input.duplicates,
        manifest=snakemake.input.manifest,
        groups=snakemake.input.groups,
        title=snakemake.params.title,
        label=f"tab:duplicates-{snakemake.wildcards.dataset}",
        paths=snakemake.output,
    )
