"""Draw a data set and its duplicates, and count them."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.reporting.figures.audits import plot_duplicates
from blastfold.reporting.figures.datasets import plot_class_distribution, plot_example_images
from blastfold.reporting.tables.leakage import tabulate_duplicates

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

images, manifest, duplicates, groups = snakemake.input
outputs, title = snakemake.output, snakemake.params.title
label = f"tab:duplicates-{snakemake.wildcards.dataset}"
with log_to(snakemake.log[0]):
    plot_example_images(images, manifest, outputs.example_images)
    plot_class_distribution(manifest, title, outputs.class_distribution)
    plot_duplicates(images, manifest, duplicates, title, outputs.duplicates)
    tabulate_duplicates(duplicates, manifest, groups, title, label, outputs.duplicates_table)
