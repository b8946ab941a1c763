"""Test, tabulate and draw the results on the true labels among those on permuted labels."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.evaluation.permutations import estimate_permutations
from blastfold.reporting.figures.permutations import plot_permutations
from blastfold.reporting.tables.permutations import tabulate_permutations

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

outputs, params = snakemake.output, snakemake.params
tests, results = outputs.tests, outputs.results
with log_to(snakemake.log[0]):
    estimate_permutations(snakemake.input.permutations, params.runs, params.seed, tests, results)
    tabulate_permutations(tests, params.runs, outputs.table)
    plot_permutations(tests, results, params.runs, outputs.figure)
