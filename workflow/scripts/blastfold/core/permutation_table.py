"""The table of heads that were trained on permuted labels: one row per permutation and fold."""

import os

import pandas as pd

from blastfold.core.tables import read_table

TRUE, BY_SUBJECT, BY_IMAGE = "true", "subject", "image"
"""Labels that heads learn and are tested on: true, or permuted among subjects or images."""

COLUMNS = ("labels", "permutation", "repeat", "fold", "auc", "negatives", "positives")
"""labels; permutation (from 0; the true labels have number 0 alone); repeat and fold; AUC of the
fold's test images against these labels, empty where they are of one class; their numbers."""


def read_permutations(path: str | os.PathLike) -> pd.DataFrame:
    """Read the results of heads on permuted labels.

    Returns:
        Columns :data:`COLUMNS`; auc is float64, NaN where it is undefined.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, COLUMNS, text=("labels",)).astype({"auc": "float64"})
