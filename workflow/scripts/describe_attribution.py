"""Tabulate the shares of attributions on the cells, and draw maps next to their pictures."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.attribution import plot_attribution, plot_deletion
from blastfold.reporting.tables.attribution import tabulate_checks, tabulate_shares

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, made, titles = snakemake.input, snakemake.output, snakemake.params.titles
named = titles["models"], titles["place"], "-".join(snakemake.wildcards)
with log_to(snakemake.log[0]):
    tabulate_shares(stored.shares, *named, made.shares_table)
    tabulate_checks(stored.checks, *named, made.checks_table)
    files = stored.maps, stored.measured, stored.images, stored.masks, stored.dataset
    plot_attribution(*files, titles["models"], made.figure)
    about = titles["models"], ", ".join(titles["place"])
    plot_deletion(stored.curves, stored.checks, *about, made.deletion)
