"""Write the locked part of a data set, whose opening is recorded."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.folds.locked_test import take_locked_part

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    base, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
    take_locked_part(base, base["locked"], outputs, snakemake.params.settings)
