"""Tabulate how reliable the probabilities of all classes are, of every run on one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.class_models import tabulate_class_calibration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params = snakemake.input, snakemake.params
with log_to(snakemake.log[0]):
    tabulate_class_calibration(
        calibration=stored.calibration,
        risk=stored.risk,
        runs=params.runs,
        title=params.title,
        label=f"tab:class-calibration-{snakemake.wildcards.dataset}",
        paths=snakemake.output,
    )
