"""Predictions as files: one row per image and fold, one probability per class.

Columns: image_id, repeat, fold, role, label (index of the class) and ``probability_<class>`` for
every class in the order of the labels.

The same predictions are read in two ways: by class, and as the positive classes against the rest.
The positive class is the last of two, or what the config names; then the file says it in the
columns :data:`POSITIVE_COLUMNS`, which trainings do not write (see :func:`mark_positive`).
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.fold_table import whole_numbers
from blastfold.core.names import JOINED, REPEAT, ROLES, TEST, VALIDATION, primary_metric
from blastfold.core.tables import read_table, require_columns, shown, write_table

PREFIX = "probability_"
"""Beginning of the columns of probabilities; the name of the class follows."""

COLUMNS = ("image_id", "repeat", "fold", "role", "label")
"""The columns before the probabilities."""

POSITIVE_COLUMNS = ("positive", "probability", "positive_class")
"""Columns after the probabilities: whether the class is positive (0, 1), the sum of the
probabilities of the positive classes, and their names."""

NAMED = 3
"""Up to so many classes are named one by one where they are taken together."""

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


def primary_of(declared: str | None, predictions: pd.DataFrame) -> str:
    """Return the primary metric of predictions, see :func:`blastfold.core.names.primary_metric`."""
    return primary_metric(declared, len(predicted_classes(predictions)))


def positive_classes(predictions: pd.DataFrame) -> tuple[str, ...]:
    """Return the names of the positive classes of a table of predictions, in their order."""
    classes = predicted_classes(predictions)
    if "positive_class" not in predictions or predictions.empty:
        return classes[-1:]
    named = predictions["positive_class"].iloc[0].split(JOINED)
    return tuple(name for name in classes if name in named)


def class_pair(predictions: pd.DataFrame) -> tuple[str, str]:
    """Return what tables call the negative and the positive classes of a table of predictions."""
    classes, positive = predicted_classes(predictions), positive_classes(predictions)
    negative = tuple(name for name in classes if name not in positive)
    return _together(negative), _together(positive)


def mark_positive(predictions: pd.DataFrame, positive: Sequence[str] | None) -> pd.DataFrame:
    """Say in a table of predictions which classes are positive.

    Args:
        predictions: Columns :data:`COLUMNS` and one probability per class, as numbers or as text.
        positive: Names of the positive classes; None for the last of two classes.

    Returns:
        The table with :data:`POSITIVE_COLUMNS`; unchanged where the positive class is the last of
        two classes.

    Raises:
        InputError: There are more than two classes and none is named positive, a name is not that
            of a class, or all classes are positive.
    """
    classes = predicted_classes(predictions)
    chosen = require_positive(classes, positive)
    if len(classes) == 2 and chosen == classes[1:]:
        return predictions
    labels = [classes.index(name) for name in chosen]
    probabilities = predictions[[PREFIX + name for name in chosen]].astype(np.float64)
    return predictions.assign(
        positive=predictions["label"].astype(np.int64).isin(labels).astype(np.int64),
        # A sum of rounded numbers may be above 1.
        probability=probabilities.sum(axis=1).clip(upper=1),
        positive_class=JOINED.join(chosen),
    )


def require_positive(classes: Sequence[str], positive: Sequence[str] | None) -> tuple[str, ...]:
    """Return the positive classes in the order of the classes.

    Args:
        classes: Names of all classes.
        positive: Names of the positive ones; None for the last of two classes.

    Raises:
        InputError: See :func:`mark_positive`.
    """
    if not positive and len(classes) != 2:
        raise InputError(
            f"There are {len(classes)} classes ({', '.join(classes)}), and the key 'positive' of "
            "the data set is absent. Sensitivity, specificity and ROC need it: name one class or "
            "several, for instance positive: ['" + classes[-1] + "']"
        )
    wanted = list(positive or classes[-1:])
    if unknown := [name for name in wanted if name not in classes]:
        raise InputError(
            f"The key 'positive' of the data set names {unknown}, which are no classes of it. "
            f"Expected names among {list(classes)}"
        )
    if len(set(wanted)) == len(classes):
        raise InputError(
            f"The key 'positive' of the data set names all classes {list(classes)}. Leave at "
            "least one class out, which is then negative"
        )
    return tuple(name for name in classes if name in wanted)


def _together(names: Sequence[str]) -> str:
    return JOINED.join(names) if len(names) <= NAMED else f"{len(names)} other classes"


def write_predictions(predictions: pd.DataFrame, path: str | os.PathLike) -> None:
    """Write a table of predictions; what readers add is left out.

    Args:
        predictions: Columns :data:`COLUMNS` and one probability per class, and
            :data:`POSITIVE_COLUMNS` where :func:`mark_positive` added them. With the column
            ``class_label``, as readers return it, that is the label.
        path: The file.

    Raises:
        InputError: The table is not as :func:`read_predictions` expects it.
    """
    if "class_label" in predictions:
        predictions = predictions.assign(label=predictions["class_label"])
    columns = [*COLUMNS, *(PREFIX + name for name in predicted_classes(predictions))]
    columns += POSITIVE_COLUMNS if "positive" in predictions else ()
    _check(predictions, path)
    write_table(predictions[columns], path)


def read_predictions(paths: str | os.PathLike | Iterable[str | os.PathLike]) -> pd.DataFrame:
    """Read the predictions of one model under one protocol.

    Args:
        paths: One table of all folds, or the tables of single folds.

    Returns:
        One row per image and fold: image_id (text), repeat, fold, role, ``probability_<class>``
        (float64) of every class (see :func:`predicted_classes`), class_label (int64, index of the
        class), label (int64, 1 for a positive class, else 0), and probability (float64): that of
        the positive classes, which are the last one where the file says nothing else.

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
    labels = predictions["label"]
    if "positive" in predictions:
        return predictions.assign(class_label=labels, label=predictions["positive"])
    classes = predicted_classes(predictions)
    return predictions.assign(
        class_label=labels,
        label=(labels == len(classes) - 1).astype(np.int64),
        probability=predictions[PREFIX + classes[-1]],
    )


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
    table = read_table(path, COLUMNS, text=("positive_class",))
    for column in ("repeat", "fold", "label"):
        table[column] = whole_numbers(table, column, path)
    classes = _check(table, path)
    numbers = [PREFIX + name for name in classes]
    columns = [*COLUMNS, *numbers]
    if "positive" in table:
        require_columns(table, POSITIVE_COLUMNS, path)
        table["positive"] = whole_numbers(table, "positive", path)
        _check_positive(table, path)
        columns += POSITIVE_COLUMNS
        numbers.append("probability")
    return table[columns].astype(dict.fromkeys(numbers, "float64"))


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


def _check_positive(table: pd.DataFrame, source: str | os.PathLike) -> None:
    """Check that the columns of the positive classes agree with those of all classes."""
    if table["positive_class"].nunique() > 1:
        raise InputError(
            f"{source}: column positive_class holds {sorted(set(table['positive_class']))}, "
            "expected one value in all rows"
        )
    classes, positive = predicted_classes(table), positive_classes(table)
    marked = table["label"].isin([classes.index(name) for name in positive])
    expected = f"1 for the classes {list(positive)} and 0 for others"
    _require(table, table["positive"] != marked.astype(int), "positive", expected, source)
    numbers = pd.to_numeric(table["probability"], errors="coerce")
    total = table[[PREFIX + name for name in positive]].astype(np.float64).sum(axis=1)
    apart = ~((numbers - total).abs() <= TOLERANCE) | ~numbers.between(0, 1)
    _require(table, apart, "probability", f"the sum over {list(positive)}", source)


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
