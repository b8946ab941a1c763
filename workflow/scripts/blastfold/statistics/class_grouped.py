"""Predictions of more than two classes condensed to totals a group.

Every class is condensed as the class against the rest (:mod:`blastfold.statistics.grouped`), so
that intervals of two classes serve for each class, and those of metrics over all classes rest on
the same totals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import METRICS, THRESHOLD
from blastfold.core.predictions import PREFIX, predicted_classes
from blastfold.statistics.grouped import (
    GroupedPredictions,
    RepeatedPredictions,
    condense_predicted,
    group_index,
    group_predictions,
    reject,
    repeat_count,
)


@dataclass(frozen=True)
class GroupedClasses:
    """Checked predictions of n classes with the group of every image.

    Has what :class:`blastfold.statistics.grouped.GroupedPredictions` has for resampling and leaving
    out groups, with totals of n classes.

    Attributes:
        label: int64 (images,), index of the class.
        predicted: int64 (images,), index of the most probable class, the first of equal ones.
        group: int64 (images,), position of the image's group among ``groups``.
        groups: Number of groups.
        of_class: Each class against the rest, n condensed predictions.
        sums: float64 (groups, n, 2): of the images of each class the squared distances of label
            and prediction, and the images whose class is among the two most probable ones; with
            repeats their means.
    """

    label: np.ndarray
    predicted: np.ndarray
    group: np.ndarray
    groups: int
    of_class: tuple[GroupedPredictions, ...]
    sums: np.ndarray
    _resampled: list = field(default_factory=list, repr=False, compare=False)

    @cached_property
    def counts(self) -> np.ndarray:
        """Confusion cells of every group and class, float64 (groups, n, 4)."""
        return np.stack([one.counts for one in self.of_class], axis=1)

    def only(self, places: Sequence[int]) -> "GroupedClasses":
        """Return the totals of some classes alone, over which means of classes are then taken.

        Args:
            places: Indices of the classes.
        """
        chosen = tuple(self.of_class[place] for place in places)
        return replace(self, of_class=chosen, sums=self.sums[:, list(places)], _resampled=[])

    def totals(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Sum the totals of all images, each group counted by its weight.

        Args:
            weights: Numbers of shape (resamples, groups); all ones when None.

        Returns:
            float64 (resamples, n, 7), or (n, 7) without weights; see
            :data:`blastfold.statistics.class_formulas.CLASS_TOTALS`.
        """
        # Many metrics and methods ask for the totals of the same resamples.
        if self._resampled and self._resampled[0] is weights:
            return self._resampled[1]
        pairs = np.stack([one.totals(weights) for one in self.of_class], axis=-2)
        given = np.ones(self.groups) if weights is None else np.asarray(weights, np.float64)
        totals = np.concatenate([pairs, np.tensordot(given, self.sums, axes=1)], axis=-1)
        if weights is not None:
            self._resampled[:] = weights, totals
        return totals

    def totals_without_one(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Sum the totals with one copy of each group left out in turn.

        Args:
            weights: Numbers of shape (resamples, groups); all ones when None.

        Returns:
            float64 (resamples, groups, n, 7), or (groups, n, 7) without weights.
        """
        pairs = np.stack([one.totals_without_one(weights) for one in self.of_class], axis=-2)
        given = np.ones(self.groups) if weights is None else np.asarray(weights, np.float64)
        whole = np.tensordot(given, self.sums, axes=1)[..., np.newaxis, :, :]
        return np.concatenate([pairs, whole - self.sums], axis=-1)


def group_classes(predictions: pd.DataFrame, groups: Sequence | None = None) -> GroupedClasses:
    """Check predictions of n classes and condense them.

    Args:
        predictions: One row per image: ``class_label`` (index of the class) and
            ``probability_<class>`` of every class, in the order of the classes; for messages
            ``image_id``; with a column ``repeat`` of several values one row per image and repeat.
        groups: The group of every row; every image is its own group when None.

    Raises:
        InputError: For no rows, labels that are not the index of a class, probabilities that are
            missing or outside 0 to 1, and missing groups.
    """
    label, probability = checked_classes(predictions)
    index, number = group_index(predictions, groups)
    predicted = probability.argmax(axis=1)
    repeats = [np.arange(len(label))]
    if repeat_count(predictions) > 1:
        repeats = list(predictions.groupby("repeat", sort=True).indices.values())
    of_class = tuple(
        _against_rest(place, (label, probability, predicted, index), number, repeats)
        for place in range(probability.shape[1])
    )
    sums = _sums(label, probability, predicted)
    held = np.zeros((number, probability.shape[1], 2))
    np.add.at(held, (index, label), sums)
    return GroupedClasses(label, predicted, index, number, of_class, held / len(repeats))


def condense_for(
    metric: str,
    predictions: pd.DataFrame,
    groups: Sequence | None = None,
    threshold: float | np.ndarray = THRESHOLD,
) -> GroupedPredictions | GroupedClasses:
    """Condense predictions in the way that a metric needs.

    Args:
        metric: One of :data:`blastfold.core.names.PRIMARY_METRICS`.
        predictions: See :func:`blastfold.statistics.grouped.group_predictions` and, for
            :data:`blastfold.core.names.OVER_CLASSES`, :func:`group_classes`.
        groups: The group of every row; every image is its own group when None.
        threshold: For metrics of two sides.

    Raises:
        InputError: As these functions.
    """
    if metric in METRICS:
        return group_predictions(predictions, groups, threshold)
    return group_classes(predictions, groups)


def checked_classes(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the label (int64, (rows,)) and the probabilities (float64, (rows, n)) of every row.

    Args:
        predictions: See :func:`group_classes`.

    Raises:
        InputError: As :func:`group_classes`, the columns' part.
    """
    classes = predicted_classes(predictions)
    if "class_label" not in predictions or len(classes) < 2:
        raise InputError(
            "predictions: expected the column 'class_label' and one column "
            f"'{PREFIX}<class>' per class, got {list(predictions.columns)}"
        )
    if len(predictions) == 0:
        raise InputError("predictions: no rows, expected one row per image")
    label = pd.to_numeric(predictions["class_label"], errors="coerce").to_numpy(np.float64)
    within = np.isin(label, range(len(classes)))
    reject(predictions, ~within, "class_label", f"the index of a class, 0 to {len(classes) - 1}")
    columns = [PREFIX + name for name in classes]
    numbers = predictions[columns].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    for column, values in zip(columns, numbers.T, strict=True):
        reject(predictions, ~((values >= 0) & (values <= 1)), column, "a number from 0 to 1")
    return label.astype(np.int64), numbers


def _against_rest(
    place: int, arrays: tuple[np.ndarray, ...], number: int, repeats: Sequence[np.ndarray]
) -> GroupedPredictions:
    """Condense one class against the rest."""
    label, probability, predicted, index = arrays
    columns = (label == place).astype(np.int64), probability[:, place], predicted == place
    tables = probability.shape[1] * len(repeats)
    found = tuple(
        condense_predicted(*(column[rows] for column in columns), index[rows], number, tables)
        for rows in repeats
    )
    if len(found) == 1:
        return found[0]
    counts = np.mean([one.counts for one in found], axis=0)
    return RepeatedPredictions(*columns, index, number, counts, None, found)


def _sums(label: np.ndarray, probability: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return squared distance and whether the class is among the two most probable, (rows, 2)."""
    own = np.take_along_axis(probability, label[:, np.newaxis], axis=1)
    earlier = np.arange(probability.shape[1]) < label[:, np.newaxis]
    before = (probability > own) | ((probability == own) & earlier)
    return np.column_stack([(label - predicted) ** 2.0, before.sum(axis=1) < 2])
