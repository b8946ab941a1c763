"""Write the calibration and the operating points of all models under one protocol."""

from typing import TYPE_CHECKING

from blastfold.calibration_tables import tabulate_calibration
from blastfold.logs import log_to

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

with log_to(snakemake.log[0]):
    tabulate_calibration(
        calibrations=snakemake.input.calibrations,
        operating_points=snakemake.input.operating_points,
        models=snakemake.params.models,
        title=snakemake.params.title,
        label="-".join(snakemake.wildcards),
        outputs={
            "calibration": snakemake.output[:3],
            "operating_points": snakemake.output[3:],
        },
    )
