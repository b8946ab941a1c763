"""Write the methods section from the config and the records of the runs."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.publication.methods import write_methods
from blastfold.publication.records import read_records

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    write_methods(
        read_records(
            snakemake.params.experiment, snakemake.params.asked, **dict(snakemake.input.items())
        ),
        snakemake.output,
    )
