"""Write what every fitted artefact was fitted on."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.audits import tabulate_fitted

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_fitted(
        artefacts=snakemake.params.artefacts,
        folds=dict(zip(map(tuple, snakemake.params.splits), snakemake.input.folds, strict=True)),
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
