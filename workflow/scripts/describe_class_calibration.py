"""Tabulate and draw the calibration over all classes of every run on one data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.class_calibration import plot_class_risk_coverage
from blastfold.reporting.tables.class_models import tabulate_class_calibration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params, outputs = snakemake.input, snakemake.params, snakemake.output
with log_to(snakemake.log[0]):
    tabulate_class_calibration(
        calibration=stored.calibration,
        risk=stored.risk,
        runs=params.runs,
        title=params.title,
        label=f"tab:class-calibration-{snakemake.wildcards.dataset}",
        paths=outputs.table,
    )
    plot_class_risk_coverage(stored.risk, params.runs, params.title, outputs.risk_coverage)
