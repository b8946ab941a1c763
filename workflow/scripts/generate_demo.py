"""Generate the demo data set: smear photographs, cell crops and the table of known cells."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.datasets.generated_smears import generate_demo

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    generate_demo(
        folder=snakemake.output[0],
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        name=snakemake.wildcards.dataset,
    )
