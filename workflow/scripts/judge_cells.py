"""Compare the detected leukocytes of photographs with the known ones."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.evaluation.detection import judge_cells

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, given = snakemake.input, snakemake.params
with log_to(snakemake.log[0]):
    folder = stored.get("generated") or given.place.folder
    outputs = dict(snakemake.output.items())
    judge_cells(stored.cells, stored.photographs, folder, given.settings, outputs)
