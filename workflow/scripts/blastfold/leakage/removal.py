"""Removal of duplicates (thesis 4.5): of the images that show one cell, the first one stays."""

import logging
from collections.abc import Sequence

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.leakage.groups import leakage_groups

logger = logging.getLogger(__name__)


def find_removed(manifest: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """List the images that go when duplicates are removed.

    A copy of a copy counts as a copy: images are connected over pairs of duplicates, and the first
    of the manifest stays. A pair that spans official parts is removed from the later one.

    Args:
        manifest: Column image_id, in the order of the images.
        duplicates: Columns first and second (image_id), one row per pair.

    Returns:
        image_id of each removed image and kept, the image that stays for it, in the manifest's
        order.

    Raises:
        InputError: A duplicate is not in the manifest.
    """
    names = manifest[["image_id"]].assign(subject="", picture="", parent="")
    cells = leakage_groups(names, duplicates)
    kept = cells.groupby("group")["image_id"].transform("first")
    removed = pd.DataFrame({"image_id": cells["image_id"], "kept": kept})
    return removed[removed["image_id"] != removed["kept"]].reset_index(drop=True)


def without_duplicates(
    manifest: pd.DataFrame, duplicates: pd.DataFrame, name: str, classes: Sequence[str]
) -> pd.DataFrame:
    """Return the rows of a manifest that stay, and log each one that goes.

    Args:
        manifest: Columns image_id and class.
        duplicates: See :func:`find_removed`.
        name: What the images are of, for messages.
        classes: Names of the classes.

    Raises:
        InputError: A class has no image left.
    """
    removed = find_removed(manifest, duplicates)
    for row in removed.itertuples():
        logger.info("%s: %s is removed, a duplicate of %s", name, row.image_id, row.kept)
    rest = manifest[~manifest["image_id"].isin(removed["image_id"])]
    logger.info("%s: %d of %d images are removed", name, len(removed), len(manifest))
    if gone := [each for each in classes if not (rest["class"] == each).any()]:
        raise InputError(
            f"{name}: remove_duplicates leaves no image of the class {gone[0]}; the duplicates of "
            "the data set show two classes as one cell"
        )
    return rest
