"""Write the page of results from stored tables, predictions and images."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.page.render import write_page

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, given = dict(snakemake.input.items()), snakemake.params
templates = stored.pop("templates")
paths = [path for kind in stored.values() for path in ([kind] if isinstance(kind, str) else kind)]
outputs = snakemake.output
with log_to(snakemake.log[0]):
    write_page(given.about, given.citation, templates, paths, outputs.page, outputs.answer)
