"""Compare every pair of models of one protocol over all classes."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.class_comparisons import compare_classes

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    compare_classes(
        predictions=snakemake.input.predictions,
        models=snakemake.params.models,
        groups=snakemake.input.groups,
        output=snakemake.output.comparisons,
        ordered=snakemake.params.ordered,
    )
