"""Write the gap between the protocols of one data set."""

from typing import TYPE_CHECKING

from blastfold.inference_tables import tabulate_protocol_gap
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_protocol_gap(
        gap=snakemake.input.gap,
        titles=snakemake.params.titles,
        title=snakemake.params.title,
        label=f"tab:protocol-gap-{snakemake.wildcards.dataset}",
        paths=snakemake.output,
    )
