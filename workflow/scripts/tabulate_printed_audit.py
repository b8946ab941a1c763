"""Write which printed results of the thesis are possible."""

from typing import TYPE_CHECKING

from blastfold.logs import log_to
from blastfold.result_audit import tabulate_printed_audit

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_printed_audit(
        published=snakemake.input.published,
        split_sizes=snakemake.input.split_sizes,
        matrices=snakemake.output.matrices,
        paths=[snakemake.output.tsv, snakemake.output.tex, snakemake.output.md],
    )
