"""Write the numbers of images of each split."""

from typing import TYPE_CHECKING

from blastfold.comparison_tables import tabulate_splits
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_splits(
        folds=snakemake.input.folds,
        splits=snakemake.params.splits,
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
