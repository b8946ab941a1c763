"""Tabulate the comparison of every pair of models of one protocol over all classes."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.tables.class_models import tabulate_class_comparisons

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

params, names = snakemake.params, "-".join(snakemake.wildcards)
with log_to(snakemake.log[0]):
    tabulate_class_comparisons(
        comparisons=snakemake.input.comparisons,
        titles=params.titles,
        title=params.title,
        label=f"tab:class-comparisons-{names}",
        paths=snakemake.output,
    )
