"""Attributions as files: which cells were drawn, their maps, and what was computed from them.

``cells.tsv`` has one row per model, network and cell, ``maps.npz`` the arrays of every model in the
order of its rows: ``<model>.<kind>`` for every kind of :data:`MAPS` and for :data:`DELETION`.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.tables import read_table

TRAINED, NEW_HEAD, NEW_WEIGHTS = "trained", "new_head", "new_weights"
MAPS = (TRAINED, NEW_HEAD, NEW_WEIGHTS)
"""The networks whose maps are stored: as trained; with new random weights behind the feature maps;
and with new random weights everywhere."""

DELETION = "deletion"
"""Kind of the curves that are stored with the maps: float32 (cells, 2, shares), the probability of
the predicted class after the most attributed pixels were removed, and the same of chance."""

REMOVED = tuple(eighth / 8 for eighth in range(9))
"""Shares of the pixels of a picture that are removed."""

SOONER, SAME, LATER = "sooner", "same", "later"
"""What the deletion curves show: whether the probability falls sooner than by chance."""

DRAWN_COLUMNS = ("model", "repeat", "fold", "image_id", "row", "label", "predicted", "weight")
"""Columns of ``cells.tsv``: row of the image store; index of the class and of the predicted one;
and the number of test images that the cell represents."""

ALL_CELLS, RIGHT, WRONG = "all", "right", "wrong"
OUTCOMES = (ALL_CELLS, RIGHT, WRONG)
"""The cells that a share is about, by how they are predicted."""

PASSES, FAILS = "passes", "fails"
"""What the check by random weights found."""


def read_drawn(path: str | os.PathLike) -> pd.DataFrame:
    """Read which cells were drawn, see :data:`DRAWN_COLUMNS`.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, DRAWN_COLUMNS, text=("model",))


def read_maps(path: str | os.PathLike, model: str, kind: str, count: int) -> np.ndarray:
    """Read the maps of one model.

    Args:
        path: ``maps.npz``.
        model: Name of the model.
        kind: One of :data:`MAPS`, or :data:`DELETION` for the curves.
        count: Rows of the model in ``cells.tsv``.

    Returns:
        float32 (count, rows, columns); of curves (count, 2, shares).

    Raises:
        InputError: There are no such maps, or another number of them.
    """
    key = f"{model}.{kind}"
    with np.load(path) as stored:
        found = stored.get(key)
    if found is None or len(found) != count:
        held = "none" if found is None else str(len(found))
        raise InputError(f"{path}: holds {held} of the {count} maps '{key}' that cells.tsv names")
    return found


def read_record(path: str | os.PathLike) -> dict:
    """Read the record of a job that computed attributions: its device, and ``models``.

    Every model has model (its name), layer and size of its maps, digests of its networks and a
    note, which is empty unless the model has no attribution.
    """
    return json.loads(Path(path).read_text("utf-8"))
