"""Audit of a split before anything is trained: which test images are related to training images?"""

import logging

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.manifest import read_manifest
from blastfold.core.names import TRAIN
from blastfold.core.tables import read_text_table, write_table
from blastfold.leakage.groups import audit_folds

logger = logging.getLogger(__name__)

SHOWN = 20
"""Crossing images that an error lists; the log file lists them all."""


def audit_split(
    folds: str,
    manifest: str,
    groups: str,
    duplicates: str,
    name: str,
    leakage: str,
    summary: str,
    crossings: str,
) -> None:
    """Write what crosses from test to training and validation, and stop where that is forbidden.

    Args:
        folds: Table of folds: image_id, fold, role.
        manifest: Manifest of the data set.
        groups: Leakage groups: image_id, group.
        duplicates: Duplicates: first, second.
        name: The protocol, for messages.
        leakage: ``report`` or ``forbid``.
        summary: Output, see :func:`blastfold.leakage.groups.audit_folds`.
        crossings: Output, every crossing image.

    Raises:
        InputError: With ``forbid``, when anything crosses from test to training.
    """
    related = (read_text_table(path) for path in (groups, duplicates))
    counted, listed = audit_folds(read_folds(folds), read_manifest(manifest), *related)
    against_training = listed[listed["against"] == TRAIN]
    crossing = counted[(counted["against"] == TRAIN) & (counted["crossing"] > 0)]
    for row in crossing.itertuples():
        logger.warning(
            "%s fold %s: %d of %d test images have their %s in training",
            name,
            row.fold,
            row.crossing,
            row.test_images,
            row.reason,
        )
    if leakage == "forbid" and len(against_training):
        # Snakemake deletes the outputs of a failed rule, so that the whole list goes to the log.
        print(against_training.to_string(index=False))
        shown = against_training.head(SHOWN).to_string(index=False)
        raise InputError(
            f"protocols.{name}: leakage is forbid, but {len(crossing)} kinds of leakage cross from "
            f"test to training, the first of {len(against_training)} images being\n{shown}\n"
            "Expected none: group_by: group keeps all of these together; leakage: report continues."
        )
    for table, path in ((counted, summary), (listed, crossings)):
        write_table(table, path)
