"""Write what every fitted artefact was fitted on."""

from typing import TYPE_CHECKING

from blastfold.audit_tables import tabulate_fitted
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_fitted(
        artefacts=snakemake.params.artefacts,
        folds=dict(zip(map(tuple, snakemake.params.splits), snakemake.input.folds, strict=True)),
        titles=snakemake.params.titles,
        paths=snakemake.output,
    )
