"""Predictions condensed to totals a group, so that groups can be resampled or left out.

Images of one subject or picture are not independent: a resample draws whole groups. With the
totals of :mod:`blastfold.statistics.metrics` a resample is a vector of group counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import THRESHOLD

NAMED_IMAGES = 5
"""An error names at most this many images."""

_PAIR_TABLE_LIMIT = 20_000_000
_CHUNK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class GroupedPredictions:
    """Checked predictions of one model with the group of every image.

    Attributes:
        label: int64 (images,), 0 negative or 1 positive.
        probability: float64 (images,), of the positive class.
        predicted: bool (images,), whether the probability reaches the threshold.
        group: int64 (images,), position of the image's group among ``groups``.
        groups: Number of groups.
        counts: float64 (groups, 4), confusion matrix cells of every group.
        pairs: float64 (groups, groups) or None where that would be too large: correctly
            ordered pairs of a positive of the row's group and a negative of the column's group.
    """

    label: np.ndarray
    probability: np.ndarray
    predicted: np.ndarray
    group: np.ndarray
    groups: int
    counts: np.ndarray
    pairs: np.ndarray | None

    def totals(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Sum the totals of all images, each group counted by its weight.

        Args:
            weights: Numbers of shape (resamples, groups); all ones when None.

        Returns:
            float64 (resamples, 5), or (5,) without weights; see ``metrics.TOTALS``.
        """
        if weights is None:
            return self._all_totals
        totals = np.empty((len(weights), 5))
        for rows in _chunks(len(weights), max(self.groups, len(self.label))):
            chunk = np.asarray(weights[rows], dtype=np.float64)
            totals[rows, :4] = chunk @ self.counts
            totals[rows, 4] = self._ordered_pairs(chunk)
        return totals

    def totals_without_one(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Sum the totals with one copy of each group left out in turn.

        Args:
            weights: Numbers of shape (resamples, groups); all ones when None. Only few groups
                can be weighted (``pairs`` must exist).

        Returns:
            float64 (resamples, groups, 5), or (groups, 5) without weights.
        """
        if weights is None:
            return self._all_totals_without_one
        totals = np.repeat(self.totals(weights)[:, np.newaxis], self.groups, axis=1)
        totals[..., :4] -= self.counts
        if self.pairs is not None:
            totals[..., 4] -= weights @ self.pairs.T + weights @ self.pairs
            totals[..., 4] += np.diag(self.pairs)
        else:
            raise InputError(f"{self.groups} groups are too many to leave out of every resample")
        return totals

    @cached_property
    def _all_totals(self) -> np.ndarray:
        return self.totals(np.ones((1, self.groups)))[0]

    @cached_property
    def _all_totals_without_one(self) -> np.ndarray:
        if self.pairs is not None:
            return self.totals_without_one(np.ones((1, self.groups)))[0]
        without = np.repeat(self._all_totals[np.newaxis], self.groups, axis=0)
        without[:, :4] -= self.counts
        without[:, 4] -= self._pairs_of_each_group()
        return without

    def _ordered_pairs(self, weights: np.ndarray) -> np.ndarray:
        if self.pairs is not None:
            return np.einsum("rg,rg->r", weights @ self.pairs, weights)
        positive, negative = self.label == 1, self.label == 0
        order = np.argsort(self.probability[negative], kind="stable")
        lower, upper = _places(self.probability[positive], self.probability[negative][order])
        below = np.zeros((len(weights), negative.sum() + 1))
        np.cumsum(weights[:, self.group[negative][order]], axis=1, out=below[:, 1:])
        weight_of_positive = weights[:, self.group[positive]]
        return ((below[:, lower] + below[:, upper]) * weight_of_positive).sum(axis=1) / 2

    def _pairs_of_each_group(self) -> np.ndarray:
        positive_place, negative_place = placements(self.label, self.probability)
        positive, negative = self.label == 1, self.label == 0
        touched = np.bincount(self.group[positive], positive_place * negative.sum(), self.groups)
        touched += np.bincount(self.group[negative], negative_place * positive.sum(), self.groups)
        # Pairs within a group were counted from both of their ends.
        mixed = self.counts[:, :2].any(axis=1) & self.counts[:, 2:].any(axis=1)
        for member in np.flatnonzero(mixed):
            inside = self.group == member
            lower, upper = _places(
                self.probability[inside & positive], np.sort(self.probability[inside & negative])
            )
            touched[member] -= (lower + upper).sum() / 2
        return touched


@dataclass(frozen=True)
class RepeatedPredictions(GroupedPredictions):
    """Predictions of several repeats of a procedure, whose totals are means over the repeats.

    Images are compared within their repeat alone. A metric of these totals is the metric of the
    mean confusion matrix, and the AUC is the mean of the repeats' AUCs. Leaving a group out leaves
    it out of every repeat.

    Attributes:
        repeats: The condensed predictions of each repeat, with the groups of all. The other
            attributes have the rows of all repeats; ``counts`` are means.
    """

    repeats: tuple[GroupedPredictions, ...]

    def totals(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See :meth:`GroupedPredictions.totals`."""
        return _mean_totals([repeat.totals(weights) for repeat in self.repeats])

    def totals_without_one(self, weights: np.ndarray | None = None) -> np.ndarray:
        """See :meth:`GroupedPredictions.totals_without_one`."""
        return _mean_totals([repeat.totals_without_one(weights) for repeat in self.repeats])


def repeat_count(predictions: pd.DataFrame) -> int:
    """Return how many repeats predictions are of: 1 without a column ``repeat``."""
    return predictions["repeat"].nunique() if "repeat" in predictions else 1


def _mean_totals(of_repeats: Sequence[np.ndarray]) -> np.ndarray:
    """Average totals over repeats; of the ordered pairs the share is averaged, where there are any.

    Args:
        of_repeats: Totals of each repeat, (..., 5).

    Returns:
        float64 (..., 5): mean counts, and the ordered pairs that give the mean AUC with them; NaN
        where no repeat has images of both classes.
    """
    stacked = np.stack(of_repeats)
    mean = stacked.mean(axis=0)
    pairs = (stacked[..., 0] + stacked[..., 1]) * (stacked[..., 2] + stacked[..., 3])
    defined = pairs > 0
    shares = np.divide(stacked[..., 4], pairs, out=np.zeros_like(pairs), where=defined)
    number = defined.sum(axis=0)
    share = shares.sum(axis=0) / np.maximum(number, 1)
    share = np.where(number > 0, share, np.nan)
    mean[..., 4] = share * (mean[..., 0] + mean[..., 1]) * (mean[..., 2] + mean[..., 3])
    return mean


def group_predictions(
    predictions: pd.DataFrame,
    groups: Sequence | None = None,
    threshold: float | np.ndarray = THRESHOLD,
) -> GroupedPredictions:
    """Check predictions and condense them.

    Args:
        predictions: One row per image; columns ``label`` (0 negative, 1 positive), ``probability``
            (of the positive class, 0 to 1) and, for messages, ``image_id``; with a column
            ``repeat`` of several values one row per image and repeat.
        groups: The group of every row; every image is its own group when None.
        threshold: A probability of at least the threshold predicts positive; a number, or one
            for every row (folds may have chosen different ones).

    Returns:
        The condensed predictions; :class:`RepeatedPredictions` of several repeats.

    Raises:
        InputError: For no rows, labels other than 0 and 1, probabilities that are missing or
            outside 0 to 1, and missing groups.
    """
    label, probability = checked_columns(predictions)
    several = repeat_count(predictions) > 1
    index, number = group_index(predictions, groups)
    thresholds = np.broadcast_to(threshold, probability.shape)
    if not several:
        return condense(label, probability, index, number, thresholds)
    repeats = tuple(
        condense(label[rows], probability[rows], index[rows], number, thresholds[rows])
        for rows in predictions.groupby("repeat", sort=True).indices.values()
    )
    counts = np.mean([repeat.counts for repeat in repeats], axis=0)
    predicted = probability >= thresholds
    rows_of_all = (label, probability, predicted, index)
    return RepeatedPredictions(*rows_of_all, number, counts, None, repeats)


def condense(
    label: np.ndarray,
    probability: np.ndarray,
    index: np.ndarray,
    number: int,
    thresholds: np.ndarray,
) -> GroupedPredictions:
    """Condense checked predictions of one repeat.

    Args:
        label: int64 (images,), 0 or 1.
        probability: float64 (images,), of the positive class.
        index: int64 (images,), position of the image's group.
        number: Number of groups; some may have no image.
        thresholds: float64 (images,).
    """
    return condense_predicted(label, probability, probability >= thresholds, index, number)


def condense_predicted(
    label: np.ndarray,
    probability: np.ndarray,
    predicted: np.ndarray,
    index: np.ndarray,
    number: int,
    tables: int = 1,
) -> GroupedPredictions:
    """Condense checked predictions of one repeat, of which it is known what is predicted.

    Args:
        label: int64 (images,), 0 or 1.
        probability: float64 (images,), of the positive class.
        predicted: bool (images,), whether the positive class is predicted.
        index: int64 (images,), position of the image's group.
        number: Number of groups; some may have no image.
        tables: How many of these are held at once, which share the memory for tables of pairs.
    """
    cell = 2 * label + predicted
    counts = np.bincount(4 * index + cell, minlength=4 * number).reshape(number, 4)
    pairs = None
    if number * len(label) <= _PAIR_TABLE_LIMIT // tables:
        pairs = _pair_table(label, probability, index, number)
    return GroupedPredictions(
        label, probability, predicted, index, number, counts.astype(np.float64), pairs
    )


def checked_columns(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the label (int64) and probability (float64) of every row, both (images,).

    Args:
        predictions: See :func:`group_predictions`.

    Raises:
        InputError: As :func:`group_predictions`, the columns' part.
    """
    for column in ("label", "probability"):
        if column not in predictions:
            raise InputError(f"predictions: column '{column}' is missing")
    if len(predictions) == 0:
        raise InputError("predictions: no rows, expected one row per image")
    label = pd.to_numeric(predictions["label"], errors="coerce").to_numpy(np.float64)
    reject(predictions, ~np.isin(label, (0, 1)), "label", "0 (negative) or 1 (positive)")
    probability = pd.to_numeric(predictions["probability"], errors="coerce")
    probability = probability.to_numpy(np.float64)
    invalid = ~((probability >= 0) & (probability <= 1))
    reject(predictions, invalid, "probability", "a number from 0 to 1")
    return label.astype(np.int64), probability


def placements(label: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the placement values of DeLong et al. (1988), a tie counting half.

    Args:
        label: (images,), 0 or 1, both present.
        probability: (images,) numbers.

    Returns:
        For every positive the share of negatives below it (V10 of the paper), and for every
        negative
        the share of positives above it (V01); their means are the AUC.
    """
    positive, negative = probability[label == 1], probability[label == 0]
    lower, upper = _places(positive, np.sort(negative))
    of_positive = (lower + upper) / (2 * len(negative))
    lower, upper = _places(negative, np.sort(positive))
    return of_positive, 1 - (lower + upper) / (2 * len(positive))


def bootstrap_weights(
    groups: int, resamples: int, random_generator: np.random.Generator
) -> np.ndarray:
    """Draw groups with replacement.

    Returns:
        float64 (resamples, groups): how often each resample drew each group; rows sum to
        ``groups``.
    """
    weights = np.empty((resamples, groups))
    for rows in _chunks(resamples, groups):
        number = rows.stop - rows.start
        drawn = random_generator.integers(groups, size=(number, groups))
        drawn += groups * np.arange(number)[:, np.newaxis]
        weights[rows] = np.bincount(drawn.ravel(), minlength=number * groups).reshape(-1, groups)
    return weights


def group_index(predictions: pd.DataFrame, groups: Sequence | None) -> tuple[np.ndarray, int]:
    """Return the position of every row's group, int64 (rows,), and the number of groups.

    Args:
        predictions: One row per image, or per image and repeat.
        groups: See :func:`group_predictions`.

    Raises:
        InputError: A row has no group, or there are fewer groups than rows.
    """
    if groups is None and repeat_count(predictions) > 1 and "image_id" in predictions:
        groups = predictions["image_id"]
    if groups is None:
        return np.arange(len(predictions)), len(predictions)
    groups = pd.Series(np.asarray(groups))
    if len(groups) != len(predictions):
        raise InputError(f"groups: {len(groups)} values for {len(predictions)} predictions")
    missing = (groups.isna() | (groups.astype(str) == "")).to_numpy()
    reject(predictions.assign(group=groups.to_numpy()), missing, "group", "a group of its own")
    index, names = pd.factorize(groups)
    return index.astype(np.int64), len(names)


def reject(predictions: pd.DataFrame, invalid: np.ndarray, column: str, expected: str) -> None:
    """Refuse predictions with invalid rows.

    Raises:
        InputError: Names the column, what is expected, and some of the images.
    """
    if not invalid.any():
        return
    rows = predictions[invalid]
    names = rows["image_id"] if "image_id" in rows else rows.index.astype(str)
    shown = ", ".join(
        f"{name} ({value!r})"
        for name, value in zip(names[:NAMED_IMAGES], rows[column].tolist(), strict=False)
    )
    raise InputError(
        f"predictions: column '{column}' must be {expected}; "
        f"{len(rows)} of {len(predictions)} images differ, for instance {shown}"
    )


def _pair_table(
    label: np.ndarray, probability: np.ndarray, group: np.ndarray, number: int
) -> np.ndarray:
    negative = label == 0
    order = np.argsort(probability[negative], kind="stable")
    lower, upper = _places(probability[~negative], probability[negative][order])
    below = np.zeros((len(order) + 1, number))
    below[np.arange(1, len(order) + 1), group[negative][order]] = 1
    np.cumsum(below, axis=0, out=below)
    by_group = np.argsort(group[~negative], kind="stable")
    members, starts = np.unique(group[~negative][by_group], return_index=True)
    table = np.zeros((number, number))
    if len(members):
        ordered = (below[lower] + below[upper])[by_group] / 2
        table[members] = np.add.reduceat(ordered, starts, axis=0)
    return table


def _places(values: np.ndarray, ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")


def _chunks(rows: int, columns: int) -> Iterator[slice]:
    step = max(1, _CHUNK_ELEMENTS // max(columns, 1))
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))
