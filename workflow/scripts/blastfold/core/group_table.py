"""The leakage group of every image."""

import os

import pandas as pd

from blastfold.core.tables import read_text_table


def read_groups(path: str | os.PathLike) -> pd.Series:
    """Read the leakage group of every image, by image_id.

    Raises:
        InputError: A column is missing.
    """
    return read_text_table(path, ("image_id", "group")).set_index("image_id")["group"]
