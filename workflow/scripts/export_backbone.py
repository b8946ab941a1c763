"""Take the backbone out of a network that was trained on a source task."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    # Imported here so that whatever TensorFlow prints lands in the log.
    from blastfold.training.backbone_export import export_backbone

    export_backbone(
        snakemake.input.model,
        snakemake.input.run,
        trained=snakemake.params.trained,
        learnt=snakemake.input.manifest,
        start=snakemake.input.get("start") or None,
        outputs=dict(snakemake.output.items()),
    )
