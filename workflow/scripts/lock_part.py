"""Lock a part of a data set away and write the open part."""

from typing import TYPE_CHECKING

from blastfold.core.logs import log_to
from blastfold.core.packages import check_versions
from blastfold.folds.locked_test import lock_part

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    params = snakemake.params
    check_versions(params.packages, snakemake.config["other_versions"])
    lock_part(
        dict(snakemake.input.items()),
        dict(snakemake.output.items()),
        params.settings,
        params.seed,
    )
