"""Collect tables and figures for print and write the document that shows them."""

from pathlib import Path
from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.publication.document import assemble_publication

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    assemble_publication(
        **dict(snakemake.input.items()),
        root=Path(snakemake.output.document).parents[1],
        about=snakemake.params.about,
        outputs=dict(snakemake.output.items()),
    )
