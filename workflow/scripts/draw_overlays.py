"""Draw the outlines of the cells of an application into its photographs."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.smears.overlays import draw_overlays

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, given = dict(snakemake.input.items()), snakemake.params
folder = stored.pop("generated", None) or given.place.folder
with log_to(snakemake.log[0]):
    draw_overlays(stored, folder, snakemake.output.overlays)
