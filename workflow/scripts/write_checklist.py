"""Fill the reporting checklists as far as the records of the runs know."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.publication.checklist import write_checklist
from blastfold.publication.records import read_records

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored = dict(snakemake.input.items())
with log_to(snakemake.log[0]):
    checklist = stored.pop("checklist")
    write_checklist(
        read_records(snakemake.params.experiment, snakemake.params.asked, **stored),
        checklist,
        snakemake.params.repository,
        snakemake.output,
    )
