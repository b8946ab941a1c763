"""Draw and tabulate all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.calibration import plot_calibration, plot_risk_coverage
from blastfold.reporting.figures.curves import plot_precision_recall, plot_roc
from blastfold.reporting.figures.datasets import plot_mean_images
from blastfold.reporting.tables.calibration import tabulate_calibration

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, dict(snakemake.output.items())
models, title = snakemake.params.models, snakemake.params.title
names, label = [name for _, name in models], "-".join(snakemake.wildcards)
curves, shares = stored.precision_recall, stored.confusions
bins, errors, points = stored.reliabilities, stored.calibrations, stored.operating_points
with log_to(snakemake.log[0]):
    plot_mean_images(stored.mean_images, outputs["mean_images"])
    plot_roc(stored.roc, stored.metrics, stored.roc_bands, names, title, outputs["roc"])
    plot_precision_recall(curves, shares, names, title, outputs["precision_recall"])
    plot_calibration(bins, errors, names, title, outputs["reliability"])
    plot_risk_coverage(stored.risk_coverage, names, title, outputs["risk_coverage"])
    tabulate_calibration(errors, points, models, title, label, outputs)
