"""Evaluate one model under one protocol: metrics, intervals, curves, calibration."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.intervals import estimate_intervals
from blastfold.evaluation.metrics import EVALUATED, evaluate_model, pool_folds
from blastfold.evaluation.operating_points import calibrate_model, estimate_roc_band
from blastfold.evaluation.subjects import evaluate_units

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = dict(snakemake.input.items()), dict(snakemake.output.items())
seed, run = snakemake.params.seed, list(snakemake.wildcards)
predictions, groups = list(stored["predictions"]), stored["groups"]
trained = {name: stored.pop(name) for name in ("runs", "histories", "layers")}
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    pool_folds(predictions, **trained, outputs=outputs, positive=snakemake.params.positive)
    predictions = stored["predictions"] = [outputs["predictions"]]
    evaluate_model(predictions, {name: outputs[name] for name in EVALUATED})
    evaluate_units(**stored, outputs=outputs)
    del stored["manifest"]
    estimate_intervals(**stored, seed=seed, names=run, output=outputs["intervals"])
    estimate_roc_band(predictions, groups, seed, run, outputs["roc_band"])
    prevalence = snakemake.params.prevalence
    calibrate_model(**stored, seed=seed, run=run, prevalence=prevalence, outputs=outputs)
