"""The table of folds: which images each fold trains on, validates on and tests on."""

import os
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import digest_names
from blastfold.core.names import ROLES, TEST, TRAIN
from blastfold.core.tables import read_table, shown, write_table

COLUMNS = ("image_id", "repeat", "fold", "role")


class Part(NamedTuple):
    """Images of one role in a fold.

    Attributes:
        rows: int64 (n,) rows of the image store.
        labels: int64 (n,) index of the class.
    """

    rows: np.ndarray
    labels: np.ndarray


def write_folds(table: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table of folds with the columns of :data:`COLUMNS`."""
    write_table(table[list(COLUMNS)], path)


def read_folds(path: str | os.PathLike) -> pd.DataFrame:
    """Read a table of folds.

    Args:
        path: Table with one row per image and fold that uses it.

    Returns:
        image_id (text), repeat and fold (int64, from 0) and role (train, validation, test). Folds
        are numbered through all repeats.

    Raises:
        InputError: A column is missing, a value is not as expected, an image has two roles in
            one fold, or two repeats have a fold of one number.
    """
    table = read_table(path, COLUMNS)
    for column in ("repeat", "fold"):
        table[column] = whole_numbers(table, column, path)
    unknown = ~table["role"].isin(ROLES)
    if unknown.any():
        row = table[unknown].iloc[0]
        raise InputError(
            f"{path}: column role holds {row['role']!r} for image {row['image_id']!r}, expected "
            f"one of {', '.join(ROLES)}"
        )
    doubled = table.duplicated(["image_id", "repeat", "fold"])
    if doubled.any():
        row = table[doubled].iloc[0]
        raise InputError(
            f"{path}: image {row['image_id']!r} has two rows in fold {row['fold']} of repeat "
            f"{row['repeat']}, expected one"
        )
    repeats = table.groupby("fold")["repeat"].nunique()
    if (repeats > 1).any():
        raise InputError(
            f"{path}: fold {repeats.idxmax()} is in {repeats.max()} repeats, expected one: folds "
            "are numbered through all repeats"
        )
    return table


def repeat_of_fold(folds: str | os.PathLike, fold: int) -> int:
    """Return the number of the repeat that a fold is of."""
    table = read_folds(folds)
    return int(table.loc[table["fold"] == fold, "repeat"].iloc[0])


def whole_numbers(table: pd.DataFrame, column: str, source: str | os.PathLike) -> pd.Series:
    """Return a column of counts from 0 as int64.

    Raises:
        InputError: Names the source, the column and the first value that is not such a number.
    """
    numbers = pd.to_numeric(table[column], errors="coerce")
    invalid = ~((numbers >= 0) & (numbers % 1 == 0))
    if invalid.any():
        value = table.loc[invalid, column].iloc[0]
        raise InputError(
            f"{source}: column {column} holds {shown(value)}, expected a whole number from 0"
        )
    return numbers.astype("int64")


def read_parts(manifest: pd.DataFrame, folds: str | os.PathLike, fold: int) -> dict[str, Part]:
    """Find the rows of the image store that a fold trains on, validates on and tests on.

    Args:
        manifest: image_id and label, one row per image of the store.
        folds: Table of folds, see :func:`read_folds`.
        fold: Number of the fold.

    Returns:
        ``train``, ``validation`` (absent when empty) and ``test``, rows in the store's order.
    """
    table = read_folds(folds)
    return select_parts(manifest, table[table["fold"] == fold])


def select_parts(manifest: pd.DataFrame, roles: pd.DataFrame) -> dict[str, Part]:
    """Find the rows of the image store that each role of one fold has.

    Args:
        manifest: image_id and label, one row per image of the store.
        roles: image_id and role, one row per image that the fold uses.

    Returns:
        Part by role, absent when empty; rows in the store's order.
    """
    role = manifest["image_id"].map(roles.set_index("image_id")["role"])
    labels = manifest["label"].astype("int64").to_numpy()
    found = {name: np.flatnonzero(role == name) for name in ROLES}
    return {name: Part(rows, labels[rows]) for name, rows in found.items() if len(rows)}


def read_training_rows(
    manifest: pd.DataFrame, folds: str | os.PathLike
) -> dict[tuple[int, int], np.ndarray]:
    """Find the rows of the image store that each fold trains on.

    Args:
        manifest: image_id, one row per image of the store.
        folds: Table of folds, see :func:`read_folds`.

    Returns:
        int64 rows in the store's order, by repeat and fold, in ascending order.

    Raises:
        InputError: A fold has no training image.
    """
    found = {}
    for (repeat, fold), roles in read_folds(folds).groupby(["repeat", "fold"], sort=True):
        training = roles.loc[roles["role"] == TRAIN, "image_id"]
        rows = np.flatnonzero(manifest["image_id"].isin(training))
        if len(rows) == 0:
            raise InputError(
                f"{folds}: fold {fold} has no row with role 'train', expected at least 1"
            )
        found[int(repeat), int(fold)] = rows
    return found


def split_digest(folds: str | os.PathLike, fold: int) -> str:
    """Return the digest of a fold: of its images and their roles, whatever their order."""
    table = read_folds(folds)
    table = table[table["fold"] == fold]
    return digest_names(table["image_id"] + "\t" + table["role"])


def ratio_of_test_to_train(path: str | os.PathLike) -> float:
    """Return the test images per training image of a protocol's folds, all taken together.

    Raises:
        InputError: A column is missing, or there is no test or no training image.
    """
    counts = read_folds(path)["role"].value_counts()
    if not {TRAIN, TEST} <= set(counts.index):
        raise InputError(
            f"{path}: column role must hold train and test, got {sorted(counts.index)}"
        )
    return float(counts[TEST] / counts[TRAIN])
