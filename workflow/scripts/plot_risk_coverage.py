"""Draw the risk-coverage curves of all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.figures.calibration_figures import plot_risk_coverage
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_risk_coverage(
        curves=snakemake.input.curves,
        models=snakemake.params.models,
        title=snakemake.params.title,
        paths=snakemake.output,
    )
