"""Predictions as files: one row per image and fold, one probability per class.

Columns: image_id, repeat, fold, role, label (index of the class) and ``probability_<class>`` for
every class in the order of the labels.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import whole_numbers
from blastfold.core.names import REPEAT, ROLES, TEST, VALIDATION
from blastfold.core.tables import read_table, shown, write_table

PREFIX = "probability_"
"""Beginning of the columns of probabilities; the name of the class follows."""

COLUMNS = ("image_id", "repeat", "fold", "role", "label")
"""The columns before the probabilities."""

TOLERANCE = 1e-3
"""How far the probabilities of an image may be from a sum of 1: half precision has 11 bits."""


def prediction_table(
    image_ids: Sequence[str],
    fold: int,
    role: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
    repeat: int = REPEAT,
) -> pd.DataFrame:
    """Put the predictions of one role of a fold into a table.

    Args:
        image_ids: Names of n images.
        fold: Number of the fold.
        role: train, validation or test.
        labels: int (n,) index of the class.
        probabilities: float (n, classes), rows that sum to 1.
        classes: Names of the classes in the order of the labels.
        repeat: Number of the repeat.

    Returns:
        Columns :data:`COLUMNS` and one probability per class.
    """
    columns = {"image_id": image_ids, "repeat": repeat, "fold": fold, "role": role}
    columns["label"] = labels
    probabilities = np.asarray(probabilities)
    for name, column in zip(classes, probabilities.T, strict=True):
        columns[PREFIX + name] = column
    return pd.DataFrame(columns)


def predicted_classes(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the classes of a table of predictions, in the order of the labels."""
    names = (name for name in predictions.columns if name.startswith(PREFIX))
    return tuple(name.removeprefix(PREFIX) for name in names)


def write_predictions(predictions: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table of predictions; what readers add is left out.

    Raises:
        InputError: The table is not as :func:`read_predictions` expects it.
    """
    _check(predictions, path)
    columns = [*COLUMNS, *(PREFIX + name for name in predicted_classes(predictions))]
    write_table(predictions[columns], path)


def read_predictions(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Read the predictions of one model under one protocol.

    Args:
        paths: One table of all folds, or the tables of single folds.

    Returns:
        One row per image and fold: image_id (text), repeat, fold and label (int64), role,
        ``probability_<class>`` (float64) of every class (see :func:`predicted_classes`), and
        probability: that of the positive class, which is the last one.

    Raises:
        InputError: A column is missing, a value is not as expected, the probabilities of an image
            do not sum to 1, the tables are of different classes, or an image has two predictions
            in a fold. The message names the file, the column, what was received and expected.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    tables = [_read_one(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if list(table.columns) != list(tables[0].columns):
            raise InputError(
                f"{path}: the classes are {list(predicted_classes(table))}, expected "
                f"{list(predicted_classes(tables[0]))} as in {paths[0]}"
            )
    predictions = pd.concat(tables, ignore_index=True)
    _require_single(predictions, paths[0])
    positive = PREFIX + predicted_classes(predictions)[-1]
    return predictions.assign(probability=predictions[positive])


def read_test_predictions(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Read the test predictions of one model, see :func:`read_predictions`.

    Raises:
        InputError: As there, or a table has no test image.
    """
    paths = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    predictions = read_predictions(paths)
    tested = predictions[predictions["role"] == TEST]
    if tested.empty:
        raise InputError(
            f"{paths[0]}: column role holds {sorted(set(predictions['role']))}, expected {TEST!r} "
            "for at least one image"
        )
    return tested.reset_index(drop=True)


def read_validation_predictions(
    paths: str | os.PathLike | Iterable[str | os.PathLike],
) -> pd.DataFrame:
    """Read the validation predictions of one model, see :func:`read_predictions`; may be none."""
    predictions = read_predictions(paths)
    return predictions[predictions["role"] == VALIDATION].reset_index(drop=True)


def _read_one(path: str | os.PathLike) -> pd.DataFrame:
    table = read_table(path, COLUMNS)
    for column in ("repeat", "fold", "label"):
        table[column] = whole_numbers(table, column, path)
    classes = _check(table, path)
    probabilities = [PREFIX + name for name in classes]
    return table[[*COLUMNS, *probabilities]].astype(dict.fromkeys(probabilities, "float64"))


def _check(table: pd.DataFrame, source: str | os.PathLike) -> tuple[str, ...]:
    """Check a table of predictions; return the names of the classes."""
    classes = predicted_classes(table)
    if len(classes) < 2 or "" in classes:
        raise InputError(
            f"{source}: the columns of probabilities are {[PREFIX + name for name in classes]}, "
            f"expected one column {PREFIX}<class> for each of at least two classes. A file of an "
            "older version of Blastfold must be made again"
        )
    _require(table, ~table["role"].isin(ROLES), "role", f"one of {', '.join(ROLES)}", source)
    within = table["label"].isin(range(len(classes)))
    expected = f"the index of its class, 0 to {len(classes) - 1}"
    _require(table, ~within, "label", expected, source)
    columns = [PREFIX + name for name in classes]
    numbers = table[columns].apply(pd.to_numeric, errors="coerce")
    for column in columns:
        invalid = ~numbers[column].between(0, 1)
        _require(table, invalid, column, "a number from 0 to 1", source)
    sums = table.assign(sum=numbers.sum(axis=1).round(6))
    apart = (sums["sum"] - 1).abs() > TOLERANCE
    _require(sums, apart, "sum", "1", source)
    _require_single(table, source)
    return classes


def _require(
    table: pd.DataFrame, invalid: pd.Series, column: str, expected: str, source: str | os.PathLike
) -> None:
    if invalid.any():
        row = table[invalid].iloc[0]
        what = "the sum of the probabilities is" if column == "sum" else f"column {column} holds"
        raise InputError(
            f"{source}: {what} {shown(row[column])} for image {row['image_id']!r} of fold "
            f"{row['fold']}, expected {expected}"
        )


def _require_single(table: pd.DataFrame, source: str | os.PathLike) -> None:
    doubled = table.duplicated(["image_id", "repeat", "fold"])
    if doubled.any():
        row = table[doubled].iloc[0]
        raise InputError(
            f"{source}: image {row['image_id']!r} has two predictions in fold {row['fold']} of "
            f"repeat {row['repeat']}, expected one"
        )
