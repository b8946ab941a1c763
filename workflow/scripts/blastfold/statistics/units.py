"""Predictions by subject or by picture: one score per unit, and metrics of few units.

A clinician decides about subjects, not about cells. Here the cells of a unit (a subject, a picture)
become one score, and each unit counts once, however many cells it has.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtri

from blastfold.core.names import PROPORTIONS, SHOWN_METRICS, THRESHOLD
from blastfold.core.notes import join_notes, make_note
from blastfold.core.units import BOTH_CLASSES, CALLED_SHARE, MEAN_PROBABILITY, SCORES
from blastfold.statistics.grouped import GroupedPredictions, checked_columns, group_predictions
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.metrics import metric_values, proportion_counts, undefined_reason
from blastfold.statistics.proportions import exact_interval

EXACT, NEWCOMBE, BY_GROUP = "clopper-pearson", "newcombe", "jackknife-t"
"""Methods of intervals: for independent units the first two; for related ones the last."""

RESULT_COLUMNS = (
    *("score", "metric", "value", "lower", "upper", "method"),
    *("units", "negative_units", "positive_units", "groups", "note"),
)


def summarise_units(
    predictions: pd.DataFrame, units: Sequence[str], threshold: float = THRESHOLD
) -> pd.DataFrame:
    """Sum up the images of every unit.

    Where the split was repeated, an image counts with its mean over the repeats, so that a unit's
    score is the mean of its scores in the repeats.

    Args:
        predictions: One row per image, fold and repeat: image_id, repeat, fold, label (0, 1),
            probability.
        units: Name of the unit of every row.
        threshold: Probabilities of at least this predict positive.

    Returns:
        One row per unit, ordered by its name: unit, label
        (:data:`blastfold.core.units.BOTH_CLASSES` where its images are of both), images,
        mean_probability, probability_sd (between its images; NaN for one), lowest and highest
        (mean probabilities of images), called_share, errors (images predicted as the wrong class;
        with repeats their mean number), repeats, repeat_sd (of the unit's mean probability between
        repeats; NaN for one) and folds (those that tested it: joined by + within a repeat, by
        commas between repeats).

    Raises:
        InputError: See :func:`blastfold.statistics.grouped.checked_columns`.
    """
    label, probability = checked_columns(predictions)
    rows = pd.DataFrame(
        {
            "unit": np.asarray(units, dtype=object),
            "image_id": predictions["image_id"].to_numpy(),
            "repeat": predictions["repeat"].to_numpy(),
            "fold": predictions["fold"].to_numpy(),
            "label": label,
            "probability": probability,
            "called": (probability >= threshold).astype(np.float64),
        }
    )
    rows["wrong"] = (rows["called"] != rows["label"]).astype(np.float64)
    images = rows.groupby(["unit", "image_id"])[["label", "probability", "called", "wrong"]].mean()
    of_unit = images.groupby("unit")
    label = of_unit["label"].agg(["min", "max"])
    same = label["min"] == label["max"]
    repeats = rows.groupby(["unit", "repeat"])["probability"].mean().groupby("unit")
    table = pd.DataFrame(
        {
            "label": label["min"].where(same, BOTH_CLASSES).astype(np.int64),
            "images": of_unit.size(),
            MEAN_PROBABILITY: of_unit["probability"].mean(),
            "probability_sd": of_unit["probability"].std(ddof=1),
            "lowest": of_unit["probability"].min(),
            "highest": of_unit["probability"].max(),
            CALLED_SHARE: of_unit["called"].mean(),
            "errors": of_unit["wrong"].sum(),
            "repeats": repeats.size(),
            "repeat_sd": repeats.std(ddof=1),
            "folds": folds_of(rows),
        }
    )
    return table.rename_axis("unit").reset_index()


def unit_results(
    units: pd.DataFrame, groups: Sequence | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Measure how well units are predicted, by both of their scores.

    Units that are independent of each other have the exact interval of Clopper and Pearson (1934)
    for proportions and Newcombe's (2006) for the AUC. Units that share a group (pictures of one
    subject) have the jackknife over groups.

    Args:
        units: Columns unit, label, mean_probability and called_share, see :func:`summarise_units`.
        groups: The leakage group of every unit; None when all are independent.
        level: Confidence level.

    Returns:
        Columns :data:`RESULT_COLUMNS`, one row per score and metric of
        :data:`blastfold.core.names.SHOWN_METRICS`. Units of both classes are left out and counted
        in the note. What is not defined is NaN with a note.
    """
    single = (units["label"] != BOTH_CLASSES).to_numpy()
    mixed = make_note("units_of_both_classes", int((~single).sum()), len(units))
    note = "" if single.all() else mixed
    known = units[single]
    group = None if groups is None else np.asarray(groups)[single]
    counts = {
        "units": len(known),
        "negative_units": int((known["label"] == 0).sum()),
        "positive_units": int((known["label"] == 1).sum()),
        "groups": len(known) if group is None else len(set(group)),
    }
    rows = []
    for score in SCORES:
        table = pd.DataFrame({"label": known["label"], "probability": known[score]})
        grouped = group_predictions(table, group) if len(known) else None
        for metric in SHOWN_METRICS:
            row = _result(metric, grouped, level)
            row["note"] = join_notes(row["note"], note)
            rows.append({"score": score, "metric": metric} | row | counts)
    return pd.DataFrame(rows)[list(RESULT_COLUMNS)]


def newcombe_interval(
    area: float, positives: int, negatives: int, level: float = 0.95
) -> tuple[float, float]:
    """Compute an interval of an AUC that also holds for few units and for an AUC of 1.

    Newcombe (2006), Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic, Part 2, Statistics in Medicine 25, 559-573, method 5: the AUC values whose distance
    from the estimate is at most z standard errors, with the standard error of Hanley and McNeil
    (1982) at that value.

    Args:
        area: The AUC, ties counting half; 0 to 1.
        positives: Number of positive units, at least 1.
        negatives: Number of negative units, at least 1.
        level: Confidence level.

    Returns:
        Lower and upper end, within 0 and 1.
    """
    z = ndtri((1 + level) / 2)
    typical = (positives + negatives) / 2 - 1

    def within(value: float) -> bool:
        likeness = (1 - value) / (2 - value) + value / (1 + value)
        variance = value * (1 - value) * (1 + typical * likeness) / (positives * negatives)
        return (area - value) ** 2 <= z**2 * variance

    return _edge(within, area, 0.0), _edge(within, area, 1.0)


def _edge(within, inside: float, outside: float) -> float:
    """Return the last value within, from a value that is inside towards the end of the range."""
    for _ in range(60):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if within(middle) else (inside, middle)
    return float(inside)


def _result(metric: str, grouped: GroupedPredictions | None, level: float) -> dict:
    totals = np.zeros(5) if grouped is None else grouped.totals()
    value = float(metric_values(metric, totals))
    row = {"value": value, "lower": np.nan, "upper": np.nan, "method": ""}
    if np.isnan(value):
        return row | {"note": undefined_reason(metric, totals)}
    if grouped.groups < len(grouped.label):
        lower, upper, note = confidence_limits(metric, grouped, BY_GROUP, level)
        return row | {"lower": lower, "upper": upper, "method": BY_GROUP, "note": note}
    if metric in PROPORTIONS:
        method, counts = EXACT, proportion_counts(metric, totals)
        lower, upper = exact_interval(*counts, level)
    else:
        positives = int(grouped.label.sum())
        negatives = len(grouped.label) - positives
        method, (lower, upper) = NEWCOMBE, newcombe_interval(value, positives, negatives, level)
    return row | {"lower": float(lower), "upper": float(upper), "method": method, "note": ""}


def folds_of(rows: pd.DataFrame) -> pd.Series:
    """Return the folds that tested each unit: joined by + within a repeat, by commas between."""
    of_repeat = rows.groupby(["unit", "repeat"])["fold"].agg(
        lambda folds: "+".join(map(str, sorted(set(folds))))
    )
    return of_repeat.groupby("unit").agg(",".join)
