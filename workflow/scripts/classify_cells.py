"""Classify the cells of photographs with an exported model, and count them."""

from pathlib import Path
from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.core.raw_files import RawContent
from blastfold.smears.classification import SmearFiles, classify_cells

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

given, params, place = snakemake.input, snakemake.params, snakemake.params.place
with log_to(snakemake.log[0]):
    check_versions(params.packages, snakemake.config["other_versions"])
    raw = RawContent(params.raw, place.cache) if params.raw else None
    files = SmearFiles(
        folder=given.get("generated") or place.folder,
        model=place.model or Path(given.model[1]).parent,
        command=place.command,
        **{name: given[name] for name in ("cells", "photographs", "listed")},
    )
    classify_cells(files, params.settings, raw, dict(snakemake.output.items()), snakemake.threads)
