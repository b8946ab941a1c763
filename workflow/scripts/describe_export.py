"""Write the model card of an export, and the script that predicts with it."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.publication.model_card import write_export_documents
from blastfold.reporting.publication.records import read_records

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored = dict(snakemake.input.items())
given = snakemake.params
description, script = stored.pop("description"), stored.pop("script")
with log_to(snakemake.log[0]):
    lists = {name: [path] for name, path in stored.items()}
    records = read_records(given.experiment, given.asked, given.expected, **lists)
    write_export_documents(records, description, stored, script, dict(snakemake.output.items()))
