"""Tabulate and draw the leak in isolation next to the protocol gap."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.leak_contrast import plot_leak_contrast
from blastfold.reporting.tables.leak_contrast import tabulate_leak_contrast

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, params, outputs = snakemake.input, snakemake.params, snakemake.output
label = f"tab:leak-contrast-{snakemake.wildcards.dataset}"
shown = {"contrast": stored.contrast, "gap": stored.gap or None, "title": params.title}
shown |= {"titles": params.titles, "gap_titles": params.gap_titles}
with log_to(snakemake.log[0]):
    tabulate_leak_contrast(**shown, label=label, paths=outputs.table)
    plot_leak_contrast(**shown, paths=outputs.figure)
