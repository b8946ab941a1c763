"""Audit of a split before anything is trained: which test images are related to training images?"""

import logging

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import read_folds
from blastfold.core.group_table import UNKNOWN
from blastfold.core.manifest import read_manifest
from blastfold.core.names import FORBID, INTENDED, TRAIN
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import read_text_table, write_table
from blastfold.leakage.groups import REASONS, audit_folds
from blastfold.leakage.relations import SUPPLY, mark_unknown, relations_of

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
    independent: bool = False,
) -> None:
    """Write what crosses from test to training and validation, and stop where that is forbidden.

    Args:
        folds: Table of folds: image_id, fold, role.
        manifest: Manifest of the data set.
        groups: Leakage groups: image_id, group.
        duplicates: Duplicates: first, second.
        name: The protocol, for messages.
        leakage: ``report``, ``forbid``, or ``intended``, which warns of nothing that crosses.
        summary: Output, see :func:`blastfold.leakage.groups.audit_folds`.
        crossings: Output, every crossing image.
        independent: Whether the config declares the images of the data set as independent.

    Raises:
        InputError: With ``forbid``, when anything crosses from test to training, or when it is
            unknown whether anything does.
    """
    tied, pairs = (read_text_table(path) for path in (groups, duplicates))
    split, images = read_folds(folds), read_manifest(manifest)
    counted, listed = audit_folds(split, images, tied, pairs)
    used = images[images["image_id"].isin(split["image_id"])]
    counted = note_removed(mark_unknown(counted, used, independent), used, pairs)
    against_training = listed[listed["against"] == TRAIN]
    crossing = counted[(counted["against"] == TRAIN) & (counted["crossing"].fillna(0) > 0)]
    for row in crossing.itertuples():
        logger.log(
            logging.INFO if leakage == INTENDED else logging.WARNING,
            "%s fold %s: %d of %d test images have their %s in training",
            name,
            row.fold,
            row.crossing,
            row.test_images,
            row.reason,
        )
    if leakage == FORBID and len(against_training):
        # Snakemake deletes the outputs of a failed rule, so that the whole list goes to the log.
        print(against_training.to_string(index=False))
        shown = against_training.head(SHOWN).to_string(index=False)
        raise InputError(
            f"protocols.{name}: leakage is forbid, but {len(crossing)} kinds of leakage cross from "
            f"test to training, the first of {len(against_training)} images being\n{shown}\n"
            "Expected none: group_by: group keeps all of these together; leakage: report continues."
        )
    unknown = int((relations_of(used, independent) == UNKNOWN).sum())
    if unknown:
        _refuse_or_warn(name, leakage, unknown, len(used))
    write_noted(counted, summary)
    write_table(listed, crossings)


def note_removed(
    counted: pd.DataFrame, used: pd.DataFrame, duplicates: pd.DataFrame
) -> pd.DataFrame:
    """Say why a split without its duplicates still divides leakage groups.

    Two subjects with images of one cell may be one person under two names, and two pictures may
    show one field, whether or not the second image of that cell is used. They stay in one group.

    Args:
        counted: As :func:`blastfold.leakage.relations.mark_unknown` returns it.
        used: Column image_id of the images in the split.
        duplicates: Columns first and second (image_id).

    Returns:
        The same rows, those of the reason "group" with a note where nothing else crosses.
    """
    ends = pd.concat([duplicates["first"], duplicates["second"]])
    removed = ends[~ends.isin(used["image_id"])].nunique()
    crossing = counted["crossing"].fillna(0) > 0
    of_groups = counted["reason"] == REASONS[-1]
    if not removed or crossing[~of_groups].any():
        return counted
    note = make_note("removed_duplicates_tie", removed)
    noted = [join_notes(text, note) for text in counted["note"]]
    return counted.assign(note=counted["note"].mask(of_groups & crossing, pd.Series(noted)))


def _refuse_or_warn(name: str, leakage: str, unknown: int, images: int) -> None:
    """Refuse, or report, that nobody can say what crosses the split."""
    found = (
        f"protocols.{name}: the subject of {unknown} of {images} images is unknown, so that images "
        "of one subject may be on both sides of the split"
    )
    if leakage == FORBID:
        raise InputError(
            f"{found}, and leakage is forbid. {SUPPLY['subject']} If no two images are related, "
            "declare independent_images: true for the data set; leakage: report continues."
        )
    logger.warning("%s.", found)
