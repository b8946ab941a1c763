"""Draw and tabulate all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.calibration import plot_probabilities
from blastfold.reporting.figures.datasets import plot_mean_images
from blastfold.reporting.figures.decisions import plot_decision_curves
from blastfold.reporting.figures.evaluation import plot_curves
from blastfold.reporting.tables.calibration import tabulate_calibration
from blastfold.reporting.tables.decisions import (
    tabulate_decision_curves,
    tabulate_predictive_values,
)

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
models, title = snakemake.params.models, snakemake.params.title
names, label = [name for _, name in models], "-".join(snakemake.wildcards)
errors, points = stored["calibrations"], stored["operating_points"]
with log_to(snakemake.log[0]):
    plot_mean_images(stored["mean_images"], outputs["mean_images"])
    plot_curves(stored, names, title, outputs)
    plot_probabilities(stored, names, title, outputs)
    tabulate_calibration(errors, points, models, title, label, outputs)
    values, curves = stored["predictive_values"], stored["decision_curves"]
    about = models, title, f"tab:predictive-values-{label}"
    tabulate_predictive_values(values, *about, outputs["predictive_values"])
    about = models, title, f"tab:decision-curve-{label}"
    tabulate_decision_curves(curves, *about, outputs["decision_table"])
    plot_decision_curves(curves, names, title, outputs["decision_curve"])
