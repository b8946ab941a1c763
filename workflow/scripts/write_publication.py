"""Write the methods section, the checklists and the provenance from the records of the runs."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.publication.checklist import write_checklist
from blastfold.reporting.publication.methods import write_methods
from blastfold.reporting.publication.provenance import write_provenance
from blastfold.reporting.publication.records import read_records

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = dict(snakemake.input.items()), snakemake.output
checklists = {name: stored.pop(name) for name in ("claim", "tripod_ai")}
given = snakemake.params
repository = vars(given.repository)
with log_to(snakemake.log[0]):
    records = read_records(given.experiment, given.asked, given.expected, **stored)
    write_methods(records, outputs.methods)
    for name, checklist in checklists.items():
        write_checklist(records, checklist, repository, outputs[name])
    write_provenance(records, repository, outputs.provenance)
