"""Measure the shares of attributions on the cells, and check them by random weights."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.attribution import evaluate_attribution

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    check_versions(snakemake.params.packages, snakemake.config["other_versions"])
    evaluate_attribution(**dict(snakemake.input.items()), outputs=dict(snakemake.output.items()))
