"""Decision curves: the net benefit of acting on a model's probabilities."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from blastfold.core.notes import join_notes, make_note
from blastfold.statistics.grouped import checked_columns
from blastfold.statistics.jackknife import few_groups_note, spread

THRESHOLDS = tuple(np.round(np.arange(0.01, 1.0, 0.01), 2))
"""Threshold probabilities of a decision curve."""


def decision_curve(
    predictions: pd.DataFrame,
    groups: Sequence | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    level: float = 0.95,
) -> pd.DataFrame:
    """Compute the net benefit of a model, and that of acting on all images.

    Vickers and Elkin (2006), Decision curve analysis, Medical Decision Making 26, 565-574: true
    positives minus false positives weighted by the odds of the threshold, per image. Acting on no
    image has a net benefit of 0.

    Args:
        predictions: One row per image: ``label``, ``probability``.
        groups: The group of every row; every row is its own group when None.
        thresholds: Threshold probabilities, between 0 and 1.
        level: Confidence level (jackknife over groups with Student's t).

    Returns:
        One row per threshold: threshold, net_benefit, lower, upper, treat_all, note. Limits are NaN
        with a note where they are not defined.
    """
    label, probability = checked_columns(predictions)
    group = np.arange(len(label)) if groups is None else pd.factorize(np.asarray(groups))[0]
    number = group.max() + 1
    sizes = np.bincount(group, minlength=number).astype(np.float64)
    share = label.mean()
    rows = []
    for threshold in thresholds:
        odds = threshold / (1 - threshold)
        gain = np.where(label == 1, 1.0, -odds) * (probability >= threshold)
        sums = np.bincount(group, gain, number)
        value = float(sums.sum() / len(label))
        lower, upper, note = _limits(sums, sizes, value, level)
        rows.append((float(threshold), value, lower, upper, share - (1 - share) * odds, note))
    columns = ["threshold", "net_benefit", "lower", "upper", "treat_all", "note"]
    return pd.DataFrame(rows, columns=columns)


def _limits(
    sums: np.ndarray, sizes: np.ndarray, value: float, level: float
) -> tuple[float, float, str]:
    if len(sums) < 2:
        return np.nan, np.nan, make_note("fewer_than_two_groups")
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    measured = spread(without - value, [sizes])
    note = few_groups_note(measured.effective_groups)
    if measured.standard_error < 1e-12:
        return value, value, join_notes(make_note("no_width"), note)
    reach = stdtrit(measured.degrees_of_freedom, (1 + level) / 2) * measured.standard_error
    return float(value - reach), float(value + reach), note
