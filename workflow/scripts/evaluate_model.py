"""Evaluate one model under one protocol."""

from typing import TYPE_CHECKING

from blastfold.evaluation import evaluate_model
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    evaluate_model(
        predictions=list(snakemake.input.predictions),
        outputs=dict(snakemake.output.items()),
    )
