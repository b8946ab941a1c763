"""Put the predictions of two models for the same images side by side."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.statistics.grouped import NAMED_IMAGES, checked_columns

KEYS = ("repeat", "fold", "image_id")


def pair_predictions(
    first: pd.DataFrame, second: pd.DataFrame, names: tuple[str, str] = ("first", "second")
) -> pd.DataFrame:
    """Join the predictions of two models by image (and fold, where both have one).

    Args:
        first: Columns ``image_id``, ``label``, ``probability``, optional ``fold`` and ``repeat``;
            one row per image (and fold).
        second: The same of the other model, in any order.
        names: The models' names, for messages.

    Returns:
        Columns ``image_id``, (``fold``, ``repeat``), ``label``, ``first``, ``second``
        (probabilities of positive), in the order of the first model's rows.

    Raises:
        InputError: When an image is missing from one model, occurs twice, has two labels, or
            a column is missing or invalid; the message names images and counts.
    """
    for table, name in zip((first, second), names, strict=True):
        if "image_id" not in table:
            raise InputError(f"predictions of {name}: column 'image_id' is missing")
    keys = [key for key in KEYS if key in first and key in second]
    for table, name in zip((first, second), names, strict=True):
        repeated = table.duplicated(keys)
        if repeated.any():
            raise InputError(
                f"predictions of {name}: {repeated.sum()} rows repeat an image, for instance "
                f"{_named(table.loc[repeated, 'image_id'])}; expected one row per image"
                + ("" if "fold" in keys else " (or a column 'fold' in both tables)")
            )
    first_columns, second_columns = _columns(first, keys, "first"), _columns(second, keys, "second")
    paired = first_columns.merge(second_columns, on=keys, how="outer", indicator=True, sort=False)
    _reject_missing(paired, names)
    conflict = paired["label_first"] != paired["label_second"]
    if conflict.any():
        raise InputError(
            f"labels of {names[0]} and {names[1]} differ for {conflict.sum()} images, "
            f"for instance {_named(paired.loc[conflict, 'image_id'])}"
        )
    paired = first_columns[keys].merge(paired, on=keys, how="left")
    paired["label"] = paired["label_first"].astype(np.int64)
    return paired[[*keys[::-1], "label", "first", "second"]]


def pair_groups(paired: pd.DataFrame, groups: pd.Series | Sequence | None) -> np.ndarray | None:
    """Return the group of every row of a paired table.

    Args:
        paired: From :func:`pair_predictions`.
        groups: A series indexed by image_id, one value per row of ``paired``, or None.

    Returns:
        (rows,) names, or None.

    Raises:
        InputError: When an image has no group.
    """
    if groups is None:
        return None
    if not isinstance(groups, pd.Series):
        return np.asarray(groups)
    missing = ~paired["image_id"].isin(groups.index)
    if missing.any():
        raise InputError(
            f"groups: {missing.sum()} of {len(paired)} images have none, "
            f"for instance {_named(paired.loc[missing, 'image_id'])}"
        )
    return groups[~groups.index.duplicated()].loc[paired["image_id"]].to_numpy()


def _columns(table: pd.DataFrame, keys: list[str], name: str) -> pd.DataFrame:
    label, probability = checked_columns(table)
    columns = table[keys].reset_index(drop=True)
    columns[f"label_{name}"] = label
    columns[name] = probability
    return columns


def _reject_missing(paired: pd.DataFrame, names: tuple[str, str]) -> None:
    messages = []
    for side, name in zip(("right_only", "left_only"), names, strict=True):
        missing = paired.loc[paired["_merge"] == side, "image_id"]
        if len(missing):
            messages.append(f"{name} has no prediction for {len(missing)}: {_named(missing)}")
    if messages:
        raise InputError(
            f"models are compared on the same images, but of {len(paired)} images "
            + "; ".join(messages)
        )


def _named(images: pd.Series) -> str:
    shown = ", ".join(map(str, images[:NAMED_IMAGES]))
    return shown + (", ..." if len(images) > NAMED_IMAGES else "")
