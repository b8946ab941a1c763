"""Evaluate all classes of networks that were tested on another data set."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.class_results import evaluate_elsewhere

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs = snakemake.input, dict(snakemake.output.items())
seed, ordered = snakemake.params.seed, snakemake.params.ordered
files = (stored.predictions, stored.networks, stored.groups)
with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    evaluate_elsewhere(*files, seed, list(snakemake.wildcards), outputs, ordered=ordered)
