"""Write the page of an application to photographs."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.smears.page import write_smears_page

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, given = dict(snakemake.input.items()), snakemake.params
folder = stored.pop("generated", None) or given.place.folder
templates, made = stored.pop("templates"), snakemake.output
with log_to(snakemake.log[0]):
    names = (given.title, given.titles)
    write_smears_page(names, stored, folder, templates, made.page, made.pictures)
