"""Write the comparison of every pair of models."""

from typing import TYPE_CHECKING

from blastfold.inference_tables import tabulate_comparisons
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_comparisons(
        comparisons=snakemake.input.comparisons,
        titles=snakemake.params.titles,
        title=snakemake.params.title,
        label=f"tab:comparisons-{'-'.join(snakemake.wildcards)}",
        paths=snakemake.output,
    )
