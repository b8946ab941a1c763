"""The table of heads that were trained on permuted labels: one row per permutation and fold."""

import os

import pandas as pd

from blastfold.core.tables import read_table

TRUE, BY_SUBJECT, BY_IMAGE = "true", "subject", "image"
"""Labels that heads learn and are tested on: true, or permuted among subjects or images."""

COLUMNS = ("labels", "permutation", "repeat", "fold", "auc", "negatives", "positives")
"""labels; permutation (from 0; the true labels have number 0 alone); repeat and fold; AUC of the
fold's test images against these labels, empty where a class is absent (of more than two classes the
mean of each against the rest); numbers of images of the first class and of all others."""


def read_permutations(path: str | os.PathLike) -> pd.DataFrame:
    """Read the results of heads on permuted labels.

    Returns:
        Columns :data:`COLUMNS`; auc is float64, NaN where it is undefined.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, COLUMNS, text=("labels",)).astype({"auc": "float64"})
