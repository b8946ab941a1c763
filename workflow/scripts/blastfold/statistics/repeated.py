"""Predictions of repeated cross-validation as arrays, and what each group adds to a metric.

A repeat is one draw of the folds. In every repeat a group has an influence: how much the metric
of the repeat moves with the images of the group. Influences of one repeat sum to 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import CELLS, MACRO_AUC, METRICS, THRESHOLD
from blastfold.core.predictions import PREFIX, predicted_classes
from blastfold.statistics.class_formulas import CLASS_TOTALS
from blastfold.statistics.grouped import placements
from blastfold.statistics.jackknife import contributions
from blastfold.statistics.metrics import metric_values

RANKED = ("auc", MACRO_AUC)
"""Metrics of the order of probabilities, which have no threshold and predict no class."""

_STEP = 1e-6
"""Relative step of the derivative of a metric by its totals."""


@dataclass(frozen=True)
class RepeatedScores:
    """Predictions of one procedure, sorted by repeat and fold.

    Attributes:
        label: int64 (rows,), 0 or 1.
        probability: float64 (rows,), of the positive class.
        group: int64 (rows,), position in ``names``.
        names: (groups,) names of the groups.
        image: int64 (rows,), number of the image.
        repeat: int64 (rows,), 0 to repeats - 1.
        fold: int64 (rows,), number of the fold among all folds of all repeats.
        left_out: Number of rows without a valid probability, which are not in the arrays.
        class_label: int64 (rows,), index of the class; None where classes are not known.
        class_probability: float64 (rows, classes), or None.
    """

    label: np.ndarray
    probability: np.ndarray
    group: np.ndarray
    names: np.ndarray
    image: np.ndarray
    repeat: np.ndarray
    fold: np.ndarray
    left_out: int = 0
    class_label: np.ndarray | None = None
    class_probability: np.ndarray | None = None


@dataclass(frozen=True)
class Summary:
    """A metric of a procedure, or a difference of two, by repeat, fold and group.

    Attributes:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        value: Mean over repeats.
        values: float64 (repeats,), NaN where undefined.
        fold_values: float64 (folds of all repeats,), NaN where undefined.
        influence: float64 (repeats, groups), 0 for a group that a repeat does not test.
        names: (groups,) names of the groups.
        parts: One or more arrays (groups,) of images, see
            :func:`blastfold.statistics.jackknife.contributions`.
        folds: Number of folds per repeat.
        complete: Whether every repeat tests the same images, each once.
        same_split: Whether all repeats have the same folds, so that only their seeds differ.
        images: Number of different images.
        left_out: Number of predictions left out.
    """

    metric: str
    value: float
    values: np.ndarray
    fold_values: np.ndarray
    influence: np.ndarray
    names: np.ndarray
    parts: list[np.ndarray]
    folds: float
    complete: bool
    same_split: bool
    images: int
    left_out: int

    @property
    def repeats(self) -> int:
        """The number of repeats with a value."""
        return int(np.count_nonzero(~np.isnan(self.values)))


def repeated_scores(
    predictions: pd.DataFrame, groups: pd.Series | Sequence | None = None
) -> RepeatedScores:
    """Turn a table of predictions into arrays.

    Args:
        predictions: Columns ``image_id``, ``label`` (0 or 1), ``probability`` and, where there are
            several, ``repeat``, ``fold`` and ``group``; for metrics over all classes
            ``class_label`` and ``probability_<class>`` of every class. Rows without a probability
            from 0 to 1 are left out and counted.
        groups: The group of every image, indexed by image_id, or one value per row; the column
            ``group`` when None; every image is its own group without it.

    Returns:
        The arrays.

    Raises:
        InputError: A column is missing, a label is not 0 or 1, an image has no group, or an image
            is twice in a fold.
    """
    for column in ("image_id", "label", "probability"):
        if column not in predictions:
            raise InputError(f"predictions: column '{column}' is missing")
    table = predictions.assign(group=_groups(predictions, groups))
    for column in ("repeat", "fold"):
        if column not in table:
            table[column] = 0
    probability = pd.to_numeric(table["probability"], errors="coerce")
    valid = probability.between(0, 1).to_numpy()
    if not table["label"].isin((0, 1)).all():
        raise InputError(f"predictions: labels are {sorted(set(table['label']))}, expected 0 and 1")
    table = table.assign(probability=probability)[valid]
    table = table.sort_values(["repeat", "fold"], kind="stable")
    if table.duplicated(["repeat", "fold", "image_id"]).any():
        raise InputError("predictions: an image is twice in a fold, expected one row per image")
    group, names = pd.factorize(table["group"], sort=True)
    classes = [PREFIX + name for name in predicted_classes(table)] if "class_label" in table else []
    return RepeatedScores(
        table["label"].to_numpy(np.int64),
        table["probability"].to_numpy(np.float64),
        group,
        np.asarray(names),
        pd.factorize(table["image_id"])[0],
        pd.factorize(table["repeat"])[0],
        table.groupby(["repeat", "fold"], sort=True).ngroup().to_numpy(),
        int((~valid).sum()),
        table["class_label"].to_numpy(np.int64) if classes else None,
        table[classes].to_numpy(np.float64) if classes else None,
    )


def summarise(metric: str, scores: RepeatedScores) -> Summary:
    """Compute a metric by repeat and fold, and the influence of every group.

    The value of a repeat is the metric of its test images. The AUC is the mean of the folds: the
    networks of different folds have scales of their own, and an AUC over all of them mixes these
    (LeDell, Petersen and van der Laan 2015, section 2). Influences are of the pooled images of a
    repeat, where each group meets all images of the other class. The macro AUC is the mean of the
    classes' AUCs, each against the rest.

    Args:
        metric: A name of :data:`blastfold.core.names.PRIMARY_METRICS`.
        scores: From :func:`repeated_scores`.

    Returns:
        The summary; values are NaN where the metric is undefined.

    Raises:
        InputError: For a metric over all classes of scores without classes.
    """
    if metric not in METRICS:
        return _summarise_classes(metric, scores)
    repeats, folds = _count(scores.repeat), _count(scores.fold)
    repeat_of_fold = np.zeros(folds, dtype=np.int64)
    repeat_of_fold[scores.fold] = scores.repeat
    fold_totals = _totals(scores, scores.fold, folds, ordered=metric == "auc")
    fold_values = metric_values(metric, fold_totals) if folds else np.empty(0)
    values = np.full(repeats, np.nan)
    influence = np.zeros((repeats, len(scores.names)))
    for repeat in range(repeats):
        rows = scores.repeat == repeat
        values[repeat], influence[repeat] = _repeat(metric, scores, rows)
        if metric == "auc":
            own = fold_values[repeat_of_fold == repeat]
            values[repeat] = _mean(own)
    cells = np.bincount(4 * scores.group + _cell(scores), minlength=4 * len(scores.names)).reshape(
        -1, 4
    )
    complete, same = _layout(scores, repeats)
    return Summary(
        metric,
        _mean(values),
        values,
        fold_values,
        influence,
        scores.names,
        contributions(metric, cells.astype(np.float64)),
        folds / repeats if repeats else 0.0,
        complete,
        same,
        _count(scores.image),
        scores.left_out,
    )


def subtract(first: Summary, second: Summary) -> Summary:
    """Return the difference of two summaries of the same images in the same folds."""
    return Summary(
        first.metric,
        _mean(first.values - second.values),
        first.values - second.values,
        first.fold_values - second.fold_values,
        first.influence - second.influence,
        first.names,
        [one + other for one, other in zip(first.parts, second.parts, strict=True)],
        first.folds,
        first.complete,
        first.same_split,
        first.images,
        first.left_out + second.left_out,
    )


def mean_of(summaries: Sequence[Summary]) -> Summary:
    """Return the mean of summaries of the same images in the same folds."""
    first = summaries[0]
    values = np.mean([one.values for one in summaries], axis=0)
    return Summary(
        first.metric,
        _mean(values),
        values,
        np.mean([one.fold_values for one in summaries], axis=0),
        np.mean([one.influence for one in summaries], axis=0),
        first.names,
        [np.mean(parts, axis=0) for parts in zip(*(one.parts for one in summaries), strict=True)],
        first.folds,
        first.complete,
        first.same_split,
        first.images,
        sum(one.left_out for one in summaries),
    )


def _summarise_classes(metric: str, scores: RepeatedScores) -> Summary:
    """Compute a metric over all classes by repeat and fold, see :func:`summarise`."""
    label, probability = scores.class_label, scores.class_probability
    if label is None or probability is None:
        raise InputError(f"predictions: '{metric}' needs the column 'class_label' and classes")
    counts = _class_totals(scores, scores.group, len(scores.names))[..., : len(CELLS)]
    parts = contributions(metric, counts)
    if metric == MACRO_AUC:
        sides = [
            replace(scores, label=(label == place).astype(np.int64), probability=of_class)
            for place, of_class in enumerate(probability.T)
        ]
        return replace(
            mean_of([summarise("auc", side) for side in sides]), metric=metric, parts=parts
        )
    repeats, folds = _count(scores.repeat), _count(scores.fold)
    values, influence = np.full(repeats, np.nan), np.zeros((repeats, len(scores.names)))
    for repeat in range(repeats):
        totals = _class_totals(scores, scores.group, len(scores.names), scores.repeat == repeat)
        whole = totals.sum(axis=0)
        values[repeat] = metric_values(metric, whole)
        gradient = _gradient(metric, whole)
        influence[repeat] = np.nan_to_num(totals.reshape(len(totals), -1) @ gradient)
    fold_values = np.empty(0)
    if folds:
        fold_values = metric_values(metric, _class_totals(scores, scores.fold, folds))
    complete, same = _layout(scores, repeats)
    sizes = (folds / repeats if repeats else 0.0, complete, same, _count(scores.image))
    return Summary(
        *(metric, _mean(values), values, fold_values, influence, scores.names, parts, *sizes),
        scores.left_out,
    )


def _class_totals(
    scores: RepeatedScores, part: np.ndarray, number: int, rows: np.ndarray | slice = slice(None)
) -> np.ndarray:
    """Return the confusion cells of every part and class, as totals without the other sums."""
    label, called = scores.class_label[rows], scores.class_probability[rows].argmax(axis=1)
    classes = scores.class_probability.shape[1]
    totals = np.zeros((number, classes, len(CLASS_TOTALS)))
    for place in range(classes):
        cell = 4 * part[rows] + 2 * (label == place) + (called == place)
        totals[:, place, :4] = np.bincount(cell, minlength=4 * number).reshape(number, 4)
    return totals


def _repeat(metric: str, scores: RepeatedScores, rows: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the metric of the pooled images of a repeat and the influence of every group."""
    number = len(scores.names)
    label, group = scores.label[rows], scores.group[rows]
    totals = np.zeros((number, 5))
    cells = np.bincount(4 * group + _cell(scores)[rows], minlength=4 * number)
    totals[:, :4] = cells.reshape(number, 4)
    positives, negatives = int(label.sum()), int(len(label) - label.sum())
    whole = totals.sum(axis=0)
    if metric == "auc" and positives and negatives:
        of_positive, of_negative = placements(label, scores.probability[rows])
        positive = label == 1
        totals[:, 4] = np.bincount(group[positive], of_positive * negatives, number)
        totals[:, 4] += np.bincount(group[~positive], of_negative * positives, number)
        whole[4] = of_positive.sum() * negatives
    value = float(metric_values(metric, whole))
    return value, np.nan_to_num(totals @ _gradient(metric, whole))


def _gradient(metric: str, totals: np.ndarray) -> np.ndarray:
    """Return the derivative of a metric by all its totals, 1-D, by central differences."""
    flat = totals.ravel()
    steps = _STEP * np.maximum(flat, 1.0)
    up, down = flat + np.diag(steps), flat - np.diag(np.minimum(steps, flat))
    up, down = (moved.reshape(len(flat), *totals.shape) for moved in (up, down))
    width = steps + np.minimum(steps, flat)
    return (metric_values(metric, up) - metric_values(metric, down)) / width


def _totals(scores: RepeatedScores, part: np.ndarray, number: int, *, ordered: bool) -> np.ndarray:
    """Return the totals (see ``metrics.TOTALS``) of every part."""
    totals = np.zeros((number, 5))
    cells = np.bincount(4 * part + _cell(scores), minlength=4 * number)
    totals[:, :4] = cells.reshape(number, 4)
    for place in range(number if ordered else 0):
        rows = part == place
        label = scores.label[rows]
        if 0 < label.sum() < len(label):
            of_positive, _ = placements(label, scores.probability[rows])
            totals[place, 4] = of_positive.sum() * (len(label) - label.sum())
    return totals


def _cell(scores: RepeatedScores) -> np.ndarray:
    """Return the place of every row among the cells of the confusion matrix."""
    return len(CELLS) // 2 * scores.label + (scores.probability >= THRESHOLD)


def _layout(scores: RepeatedScores, repeats: int) -> tuple[bool, bool]:
    """Return whether the repeats test the same images once each, and whether in the same folds."""
    images = _count(scores.image)
    tested = np.zeros((repeats, images), dtype=np.int64)
    fold = np.zeros((repeats, images), dtype=np.int64)
    np.add.at(tested, (scores.repeat, scores.image), 1)
    fold[scores.repeat, scores.image] = scores.fold
    if not repeats or (tested != 1).any():
        return False, False
    first = fold - fold.min(axis=1, keepdims=True)
    return True, repeats > 1 and bool((first == first[0]).all())


def _groups(predictions: pd.DataFrame, groups: pd.Series | Sequence | None) -> np.ndarray:
    if groups is None:
        return predictions["group" if "group" in predictions else "image_id"].to_numpy()
    if not isinstance(groups, pd.Series):
        return np.asarray(groups)
    found = predictions["image_id"].map(groups[~groups.index.duplicated()])
    if found.isna().any():
        image = predictions.loc[found.isna(), "image_id"].iloc[0]
        raise InputError(f"groups: {found.isna().sum()} images have none, for instance {image}")
    return found.to_numpy()


def _count(codes: np.ndarray) -> int:
    return int(codes.max()) + 1 if len(codes) else 0


def _mean(values: np.ndarray) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else np.nan
