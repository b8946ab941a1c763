"""Subjects and pictures as units of the evaluation: their names and the words of their tables."""

import pandas as pd

from blastfold.core.names import PICTURE, SUBJECT, UNIT_LEVELS
from blastfold.core.tables import require_columns

BOTH_CLASSES = -1
"""The label of a unit that has images of both classes, and so no class of its own."""

MEAN_PROBABILITY, CALLED_SHARE = "mean_probability", "called_share"
SCORES = (MEAN_PROBABILITY, CALLED_SHARE)
"""Scores of a unit: the mean probability of its images, and the share of them that is predicted as
positive. A unit is predicted as positive where its score reaches the threshold."""


def units_of(manifest: pd.DataFrame, level: str) -> pd.Series:
    """Return the subject or the picture of every image.

    Args:
        manifest: Text columns image_id, subject and picture.
        level: One of :data:`blastfold.core.names.UNIT_LEVELS`.

    Returns:
        Names by image_id; empty where unknown. The name of a picture begins with that of its
        subject, because sources count the pictures of each subject from 1.

    Raises:
        InputError: A column is missing.
    """
    require_columns(manifest, ("image_id", *UNIT_LEVELS), "manifest")
    names = manifest[level]
    if level == PICTURE:
        inside = (manifest[SUBJECT] + " " + names).where(manifest[SUBJECT] != "", names)
        names = inside.where(names != "", "")
    return pd.Series(names.to_numpy(), index=manifest["image_id"])
