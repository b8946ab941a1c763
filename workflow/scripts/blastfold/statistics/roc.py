"""ROC curve with a band over groups, and sensitivity at a fixed specificity."""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.grouped import (
    GroupedPredictions,
    RepeatedPredictions,
    bootstrap_weights,
    group_predictions,
    repeat_count,
)
from blastfold.statistics.intervals import RESAMPLES, Interval
from blastfold.statistics.jackknife import (
    bounded_interval,
    contributions,
    few_groups_note,
    metric_spread,
    spread,
)

GRID = np.linspace(0, 1, 201)
"""False positive rates at which a band is given."""

DELETED = 1000
"""At most so many blocks of groups are left out in turn; of more groups, several form a block
(delete-a-group jackknife; Kott 2001)."""

_CHUNK_ELEMENTS = 4_000_000


def roc_band(
    predictions: pd.DataFrame,
    groups: Sequence | None,
    random_generator: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    grid: np.ndarray = GRID,
) -> pd.DataFrame:
    """Compute the ROC curve of pooled predictions with two bands.

    The pointwise band holds at each false positive rate by itself. The simultaneous band holds
    the whole curve: it is the curve plus and minus the largest vertical distance that the
    resampled curves keep (fixed-width band; Campbell 1994, Advances in statistical methodology
    for the evaluation of diagnostic and laboratory tests; Macskassy and Provost 2004).

    Args:
        predictions: One row per image: ``label``, ``probability``.
        groups: The group of every row, or None.
        random_generator: For the bootstrap of groups.
        level: Confidence level of both bands.
        resamples: Number of resamples.
        grid: False positive rates, ascending.

    Returns:
        Columns ``false_positive_rate``, ``true_positive_rate``, ``lower``, ``upper``,
        ``band_lower``, ``band_upper``, ``note`` (the same in every row).

    Raises:
        InputError: When a class is missing, or for invalid predictions.
    """
    grouped = group_predictions(predictions, groups)
    _require_both_classes(grouped)
    curve = _rates(grouped, np.ones((1, grouped.groups)), grid)[0]
    weights = bootstrap_weights(grouped.groups, resamples, random_generator)
    curves = _rates(grouped, weights, grid)
    curves = curves[~np.isnan(curves).any(axis=1)]
    lower, upper = np.quantile(curves, ((1 - level) / 2, (1 + level) / 2), axis=0)
    reach = np.quantile(np.abs(curves - curve).max(axis=1), level)
    return pd.DataFrame(
        {
            "false_positive_rate": grid,
            "true_positive_rate": curve,
            "lower": lower,
            "upper": upper,
            "band_lower": np.clip(curve - reach, 0, 1),
            "band_upper": np.clip(curve + reach, 0, 1),
            "note": _note(grouped, resamples - len(curves), resamples),
        }
    )


def sensitivity_at_specificity(
    predictions: pd.DataFrame,
    specificity: float,
    groups: Sequence | None = None,
    *,
    level: float = 0.95,
) -> Interval:
    """Read the sensitivity off the ROC curve at a wanted specificity.

    The threshold comes from the same images, so this describes the ranking; what a threshold chosen
    beforehand does is ``sensitivity`` at that threshold. The interval includes the choice of the
    threshold: the jackknife chooses it again without each group. Its standard error goes into
    Wilson's interval with Student's t, as for other proportions
    (:func:`blastfold.statistics.jackknife.bounded_interval`). A percentile bootstrap of groups is
    too narrow for few groups: ``tests/benchmarks/test_subject_statistics.py`` measures both.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        specificity: Wanted specificity, 0 to 1; the ROC curve is interpolated linearly.
        groups: The group of every row, or None.
        level: Confidence level.

    Returns:
        The interval; ``metric`` is ``sensitivity_at_specificity_<wanted>``. Its limits are NaN with
        a note where fewer than two groups have images of a class.

    Raises:
        InputError: For a specificity outside 0 to 1, a missing class or invalid predictions.
    """
    if not 0 <= specificity <= 1:
        raise InputError(f"specificity must be a number from 0 to 1, got {specificity}")
    grouped = group_predictions(predictions, groups)
    _require_both_classes(grouped)
    # Rounded, so that a step of the curve at exactly this rate is always climbed.
    grid = np.array([round(1 - specificity, 12)])
    value = float(_rates(grouped, np.ones((1, grouped.groups)), grid)[0, 0])
    block = np.arange(grouped.groups) % DELETED
    without = np.array([_rates(grouped, rows, grid)[0, 0] for rows in _without_block(block)])
    counts = np.stack([np.bincount(block, column) for column in grouped.counts.T], axis=1)
    measured = spread(without - value, contributions("auc", counts))
    lower, upper, note = bounded_interval("sensitivity", value, measured, level)
    return Interval(
        f"sensitivity_at_specificity_{specificity:g}",
        value,
        lower,
        upper,
        "jackknife-t",
        level,
        round(len(predictions) / repeat_count(predictions)),
        grouped.groups,
        join_notes(note, few_groups_note(measured.effective_groups)),
    )


def _without_block(block: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the weights (1, groups) that leave out one block of groups after the other."""
    for number in range(block.max() + 1):
        yield (block != number).astype(np.float64)[np.newaxis]


def _rates(grouped: GroupedPredictions, weights: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Interpolate the true positive rate of every resample at the grid; NaN without a class.

    Of several repeats it is the mean of their curves (vertical averaging; Fawcett 2006, An
    introduction to ROC analysis, section 8), whose area is the mean AUC.
    """
    if isinstance(grouped, RepeatedPredictions):
        return np.mean([_rates(repeat, weights, grid) for repeat in grouped.repeats], axis=0)
    order = np.argsort(-grouped.probability, kind="stable")
    ordered = grouped.probability[order]
    last_of_tie = np.append(ordered[1:] != ordered[:-1], True)
    positive, group = grouped.label[order] == 1, grouped.group[order]
    rates = np.full((len(weights), len(grid)), np.nan)
    step = max(1, _CHUNK_ELEMENTS // len(order))
    for start in range(0, len(weights), step):
        drawn = weights[start : start + step, group]
        true_positives = np.cumsum(drawn * positive, axis=1)[:, last_of_tie]
        false_positives = np.cumsum(drawn * ~positive, axis=1)[:, last_of_tie]
        for row, (true, false) in enumerate(zip(true_positives, false_positives, strict=True)):
            if true[-1] > 0 and false[-1] > 0:
                across, along = np.append(0, false / false[-1]), np.append(0, true / true[-1])
                rates[start + row] = np.interp(grid, across, along)
    return rates


def _require_both_classes(grouped: GroupedPredictions) -> None:
    positives = int(grouped.label.sum())
    if not 0 < positives < len(grouped.label):
        raise InputError(
            f"an ROC curve needs both classes, got {positives} positive and "
            f"{len(grouped.label) - positives} negative images"
        )


def _note(grouped: GroupedPredictions, undefined: int, resamples: int) -> str:
    few = few_groups_note(metric_spread("auc", grouped).effective_groups)
    left_out = make_note("one_class_resamples", undefined, resamples) if undefined else ""
    return join_notes(left_out, few)
