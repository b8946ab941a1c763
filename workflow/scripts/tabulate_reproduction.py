"""Write every value that the thesis prints beside ours."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.reproduction import tabulate_reproduction

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_reproduction(
        published=snakemake.input.published,
        metrics=snakemake.input.metrics,
        runs=snakemake.params.runs,
        paths=snakemake.output,
    )
