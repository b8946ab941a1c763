"""Draw the confusion matrix of all folds together."""

from typing import TYPE_CHECKING

from blastfold.figures.evaluation_figures import plot_confusion_matrix
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_confusion_matrix(
        confusion=snakemake.input.confusion,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
