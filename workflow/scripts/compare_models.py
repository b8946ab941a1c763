"""Compare every pair of models of one protocol."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.comparisons import compare_models

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    compare_models(
        predictions=snakemake.input.predictions,
        models=snakemake.params.models,
        groups=snakemake.input.groups,
        folds=snakemake.input.folds,
        seed=snakemake.params.seed,
        names=list(snakemake.wildcards),
        output=snakemake.output.comparisons,
        primary=snakemake.params.primary,
        family=snakemake.params.family,
    )
