"""Draw the reliability diagrams of all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.figures.calibration_figures import plot_calibration
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_calibration(
        reliabilities=snakemake.input.reliabilities,
        calibrations=snakemake.input.calibrations,
        models=snakemake.params.models,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
