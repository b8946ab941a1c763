"""Write where every number comes from."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.publication.provenance import write_provenance
from blastfold.publication.records import read_records

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored = dict(snakemake.input.items())
with log_to(snakemake.log[0]):
    predictions = stored.pop("predictions")
    write_provenance(
        read_records(snakemake.params.experiment, snakemake.params.asked, **stored),
        predictions,
        snakemake.params.repository,
        snakemake.output[0],
    )
