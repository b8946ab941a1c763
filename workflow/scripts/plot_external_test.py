"""Draw the external tests."""

from typing import TYPE_CHECKING

from blastfold.figures.external_figures import plot_external_test
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    plot_external_test(
        internal=snakemake.input.internal,
        external=snakemake.input.external,
        runs=snakemake.params.runs,
        paths=snakemake.output,
    )
