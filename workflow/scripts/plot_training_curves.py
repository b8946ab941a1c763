"""Draw the training history of all folds."""

from typing import TYPE_CHECKING

from blastfold.figures.training_figures import plot_training_curves
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_training_curves(
        histories=snakemake.input.histories,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
