"""Generate one slide of the demo, with its truth."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.slides.generated_slide import generate_slide

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    generate_slide(
        slide=snakemake.wildcards.slide,
        label=snakemake.params.label,
        settings=snakemake.params.settings,
        seed=snakemake.params.seed,
        path=snakemake.output.slide,
        truth=snakemake.output.truth,
    )
