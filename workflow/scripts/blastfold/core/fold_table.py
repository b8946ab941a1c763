"""Which images a fold trains on, validates on and tests on."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.files import digest_names


class Part(NamedTuple):
    """Images of one role in a fold.

    Attributes:
        rows: int64 (n,) rows of the image store.
        labels: int64 (n,) 0 normal, 1 blast.
    """

    rows: np.ndarray
    labels: np.ndarray


def read_parts(manifest: pd.DataFrame, folds: str | os.PathLike, fold: int) -> dict[str, Part]:
    """Find the rows of the image store that a fold trains on, validates on and tests on.

    Args:
        manifest: image_id and label, one row an image of the store.
        folds: Table of folds: image_id, fold, role.
        fold: Number of the fold.

    Returns:
        ``train``, ``validation`` (absent when empty) and ``test``, rows in the store's order.
    """
    table = _read(folds, fold)
    roles = manifest["image_id"].map(table.set_index("image_id")["role"])
    labels = manifest["label"].astype(int).to_numpy()
    found = {role: np.flatnonzero(roles == role) for role in ("train", "validation", "test")}
    return {role: Part(rows, labels[rows]) for role, rows in found.items() if len(rows)}


def split_digest(folds: str | os.PathLike, fold: int) -> str:
    """Return the digest of a fold: of its images and their roles, whatever their order."""
    table = _read(folds, fold)
    return digest_names(table["image_id"] + "\t" + table["role"])


def _read(folds: str | os.PathLike, fold: int) -> pd.DataFrame:
    table = pd.read_csv(folds, sep="\t", dtype={"image_id": str}, keep_default_na=False)
    return table[table["fold"] == fold]
