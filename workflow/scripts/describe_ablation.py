"""Tabulate and draw the effect of each choice of an ablation."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.ablation import plot_effects
from blastfold.reporting.tables.ablation import tabulate_cells, tabulate_effects

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored, outputs, settings = snakemake.input, snakemake.output, snakemake.params
label = f"ablation-{snakemake.wildcards.ablation}"
about = (settings.titles, settings.title)
with log_to(snakemake.log[0]):
    tabulate_effects(stored.effects, *about, f"tab:{label}-effects", outputs.effects)
    tabulate_cells(stored.cells, *about, f"tab:{label}-cells", outputs.cells)
    plot_effects(stored.effects, stored.cells, *about, outputs.figure)
