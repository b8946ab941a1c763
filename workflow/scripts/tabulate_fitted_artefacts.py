"""Write what every fitted artefact was fitted on."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.fitted_artefacts import tabulate_fitted

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, settings = snakemake.input, snakemake.params
pairs = zip(settings.artefacts, stored.records, strict=True)
with log_to(snakemake.log[0]):
    tabulate_fitted(
        artefacts=[{**artefact, "path": path} for artefact, path in pairs],
        folds=dict(zip(map(tuple, settings.splits), stored.folds, strict=True)),
        titles=settings.titles,
        paths=snakemake.output,
    )
