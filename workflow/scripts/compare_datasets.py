"""Find the images that two data sets share."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.leakage.shared_images import compare_datasets

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

stored = snakemake.input
with log_to(snakemake.log[0]):
    compare_datasets(
        learnt={"images": stored.learnt_images, "manifest": stored.learnt_manifest},
        tested={"images": stored.tested_images, "manifest": stored.tested_manifest},
        pairs=snakemake.output.pairs,
        settings=snakemake.params.duplicates,
        threads=snakemake.threads,
    )
