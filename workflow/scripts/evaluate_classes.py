"""Evaluate all classes of one model under one protocol, where there are more than two."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.class_calibration import calibrate_classes
from blastfold.evaluation.class_results import evaluate_all_classes
from blastfold.evaluation.class_subjects import evaluate_class_units

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, dict(snakemake.output.items())
seed, ordered = snakemake.params.seed, snakemake.params.ordered
files = (stored.predictions, stored.groups, stored.folds)
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    evaluate_all_classes(*files[:2], seed, list(snakemake.wildcards), outputs, ordered=ordered)
    calibrate_classes(*files, outputs)
    evaluate_class_units(*files, stored.manifest, outputs)
