"""Fit and test trivial baselines under one protocol, and compare the networks with them."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.evaluation.baselines import PER_BASELINE, estimate_baselines

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, params = dict(snakemake.input.items()), snakemake.output, snakemake.params
predictions = stored.pop("predictions")
with log_to(snakemake.log[0]):
    check_versions(params.packages, snakemake.config["other_versions"])
    estimate_baselines(
        **stored,
        networks=dict(zip(params.models, predictions, strict=True)),
        outputs={name: list(outputs[name]) for name in PER_BASELINE},
        differences=outputs.differences,
        positive=params.positive,
    )
