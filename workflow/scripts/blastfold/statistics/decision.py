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
        level: Confidence level (jackknife over groups with Student's t). The share of positives is
            taken as given, as a data set's is chosen by those who collected it.

    Returns:
        One row per threshold: threshold, net_benefit, lower, upper, treat_all, note. Limits are NaN
        with a note where they are not defined; all is NaN where the images are of one class.
    """
    label, probability = checked_columns(predictions)
    group = np.arange(len(label)) if groups is None else pd.factorize(np.asarray(groups))[0]
    number, share = group.max() + 1, label.mean()
    sizes = [np.bincount(group, label == value, number) for value in (1, 0)]
    rows = []
    for threshold in thresholds:
        odds = threshold / (1 - threshold)
        called = probability >= threshold
        hits = [np.bincount(group, called & (label == value), number) for value in (1, 0)]
        weights = (share, -(1 - share) * odds)
        found = _net_benefit(hits, sizes, weights, level)
        rows.append((float(threshold), *found[:3], share - (1 - share) * odds, found[3]))
    columns = ["threshold", "net_benefit", "lower", "upper", "treat_all", "note"]
    return pd.DataFrame(rows, columns=columns)


def _net_benefit(
    hits: list[np.ndarray],
    sizes: list[np.ndarray],
    weights: tuple[float, float],
    level: float,
) -> tuple[float, float, float, str]:
    """Return the weighted sum of true and false positive rate, with its limits and a note."""
    if min(size.sum() for size in sizes) == 0:
        return np.nan, np.nan, np.nan, make_note("one_class")
    value, without = 0.0, np.zeros(len(sizes[0]))
    for hit, size, weight in zip(hits, sizes, weights, strict=True):
        rest = size.sum() - size
        rates = np.divide(hit.sum() - hit, rest, out=np.full(len(rest), np.nan), where=rest > 0)
        value += weight * hit.sum() / size.sum()
        without += weight * rates
    measured = spread(without - value, sizes)
    note = few_groups_note(measured.effective_groups)
    if np.isnan(measured.standard_error):
        return value, np.nan, np.nan, make_note("fewer_than_two_groups")
    if measured.standard_error < 1e-12:
        return value, value, value, join_notes(make_note("no_width"), note)
    reach = stdtrit(measured.degrees_of_freedom, (1 + level) / 2) * measured.standard_error
    return float(value), float(value - reach), float(value + reach), note
