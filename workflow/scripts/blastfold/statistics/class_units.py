"""Subjects and pictures with images of more than two classes: shares of classes, majority call."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.core.class_tables import SHARE_ERROR, SHARES
from blastfold.core.names import MACRO_AUC
from blastfold.core.notes import join_notes, make_note
from blastfold.core.predictions import PREFIX, predicted_classes
from blastfold.core.units import BOTH_CLASSES, MEAN_PROBABILITY
from blastfold.statistics.class_grouped import checked_classes, group_classes
from blastfold.statistics.intervals import confidence_limits
from blastfold.statistics.jackknife import bounded_interval, few_groups_note, spread
from blastfold.statistics.metrics import metric_values, proportion_counts, undefined_reason
from blastfold.statistics.proportions import exact_interval
from blastfold.statistics.units import BY_GROUP, EXACT, folds_of

MAJORITY = "majority"
CALLS = {MAJORITY: "share", MEAN_PROBABILITY: "mean"}
"""How the images of a unit become one class, and the beginning of the columns that decide: the
class that most images are predicted as, or the class with the highest mean probability."""

MEASURED = {MAJORITY: ("accuracy", "balanced_accuracy")}
MEASURED[MEAN_PROBABILITY] = (*MEASURED[MAJORITY], MACRO_AUC)
"""The metrics of each call."""

UNIT_COLUMNS = ("call", "metric", "value", "lower", "upper", "method", "units", "groups", "note")


def summarise_class_units(predictions: pd.DataFrame, units: Sequence[str]) -> pd.DataFrame:
    """Sum up the images of every unit by class.

    Where the split was repeated, an image counts with its mean over the repeats.

    Args:
        predictions: One row per image, fold and repeat: image_id, repeat, fold, class_label and the
            probability of every class.
        units: Name of the unit of every row.

    Returns:
        One row per unit, ordered by its name: unit, label (index of the class;
        :data:`blastfold.core.units.BOTH_CLASSES` where its images are of several), images,
        ``true_<class>`` (share of its images that is of the class), ``share_<class>`` (that is
        predicted as the class) and ``mean_<class>`` (mean probability) of every class, majority
        (index of the class with the largest share; of equal ones the one with the higher mean
        probability) and majority_share,
        mean_call (index of the class with the highest mean probability), errors (images predicted
        as another class; with repeats their mean number) and folds.
    """
    classes = predicted_classes(predictions)
    label, probability = checked_classes(predictions)
    called = np.eye(len(classes))[probability.argmax(axis=1)]
    keys = {"unit": np.asarray(units, dtype=object), "image_id": predictions["image_id"].to_numpy()}
    columns = {f"true_{name}": (label == place) * 1.0 for place, name in enumerate(classes)}
    columns |= {f"share_{name}": called[:, place] for place, name in enumerate(classes)}
    columns |= {f"mean_{name}": probability[:, place] for place, name in enumerate(classes)}
    wrong = (probability.argmax(axis=1) != label).astype(np.float64)
    rows = pd.DataFrame({**keys, "class_label": label, "wrong": wrong, **columns})
    images = rows.groupby(["unit", "image_id"]).mean()
    of_unit = images.groupby("unit")
    table = of_unit[list(columns)].mean()
    smallest, largest = of_unit["class_label"].min(), of_unit["class_label"].max()
    table.insert(0, "label", smallest.where(smallest == largest, BOTH_CLASSES).astype(np.int64))
    table.insert(1, "images", of_unit.size())
    shares = table[[f"share_{name}" for name in classes]].to_numpy()
    means = table[[f"mean_{name}" for name in classes]].to_numpy()
    # Images count in twelfths of rounding error at most, so that equal shares are equal.
    tied = np.round(shares, 9) == np.round(shares, 9).max(axis=1, initial=0, keepdims=True)
    table["majority"] = np.where(tied, means, -1.0).argmax(axis=1)
    table["majority_share"] = shares.max(axis=1, initial=0)
    table["mean_call"] = means.argmax(axis=1)
    table["errors"] = of_unit["wrong"].sum()
    split = pd.DataFrame({**keys, "repeat": predictions["repeat"], "fold": predictions["fold"]})
    table["folds"] = folds_of(split)
    return table.rename_axis("unit").reset_index()


def class_unit_results(
    units: pd.DataFrame, classes: Sequence[str], groups: Sequence | None = None, level: float = 0.95
) -> pd.DataFrame:
    """Measure how well the classes of units are predicted, by both calls.

    Units that are independent of each other have the exact interval of Clopper and Pearson (1934)
    for their accuracy. Other metrics, and units that share a group, have the jackknife.

    Args:
        units: From :func:`summarise_class_units`.
        classes: Names of the classes.
        groups: The leakage group of every unit; None when all are independent.
        level: Confidence level.

    Returns:
        Columns :data:`UNIT_COLUMNS`, one row per call and metric of :data:`MEASURED`, where units
        of several classes are left out and counted in the note, and one of :data:`SHARE_ERROR` of
        all units. What is not defined is NaN with a note.
    """
    single = (units["label"] != BOTH_CLASSES).to_numpy()
    mixed = make_note("units_of_several_classes", int((~single).sum()), len(units))
    known = units[single]
    group = np.arange(len(known)) if groups is None else np.asarray(groups)[single]
    sizes = {"units": len(known), "groups": len(set(group))}
    rows = []
    for call, metrics in MEASURED.items():
        table = _called(known, call, classes)
        for metric in metrics:
            row = _result(metric, table, group, level)
            row["note"] = join_notes(row["note"], "" if single.all() else mixed)
            rows.append({"call": call, "metric": metric} | row | sizes)
    every = np.arange(len(units)) if groups is None else np.asarray(groups)
    sizes = {"units": len(units), "groups": len(set(every))}
    error = _share_error(units, classes, every, level)
    rows.append({"call": SHARES, "metric": SHARE_ERROR} | error | sizes)
    return pd.DataFrame(rows)[list(UNIT_COLUMNS)]


def _share_error(
    units: pd.DataFrame, classes: Sequence[str], group: np.ndarray, level: float
) -> dict:
    """Return the mean distance of predicted and true shares, half the sum of the differences."""
    row = {"value": np.nan, "lower": np.nan, "upper": np.nan, "method": ""}
    if units.empty:
        return row | {"note": make_note("no_images")}
    true, share = (
        units[[f"{kind}_{name}" for name in classes]].to_numpy() for kind in ("true", "share")
    )
    index = pd.factorize(group)[0]
    sums = np.bincount(index, np.abs(true - share).sum(axis=1) / 2)
    sizes = np.bincount(index).astype(np.float64)
    value = float(sums.sum() / sizes.sum())
    row |= {"value": value, "method": BY_GROUP}
    if len(sizes) < 2:
        return row | {"note": make_note("fewer_than_two_groups")}
    without = (sums.sum() - sums) / (sizes.sum() - sizes)
    measured = spread(without - value, [sizes])
    lower, upper, note = bounded_interval("accuracy", value, measured, level)
    note = join_notes(note, few_groups_note(measured.effective_groups))
    return row | {"lower": lower, "upper": upper, "note": note}


def _called(units: pd.DataFrame, call: str, classes: Sequence[str]) -> pd.DataFrame:
    """Return units as if they were images: class_label and one probability per class."""
    if call == MAJORITY:
        values = np.eye(len(classes))[units["majority"].to_numpy(np.int64)]
    else:
        values = units[[f"{CALLS[call]}_{name}" for name in classes]].to_numpy()
    columns = {PREFIX + name: column for name, column in zip(classes, values.T, strict=True)}
    return pd.DataFrame({"class_label": units["label"].to_numpy(), **columns})


def _result(metric: str, table: pd.DataFrame, group: np.ndarray, level: float) -> dict:
    row = {"value": np.nan, "lower": np.nan, "upper": np.nan, "method": ""}
    if table.empty:
        return row | {"note": make_note("no_images")}
    grouped = group_classes(table, group)
    totals = grouped.totals()
    row["value"] = value = float(metric_values(metric, totals))
    if np.isnan(value):
        return row | {"note": undefined_reason(metric, totals)}
    if metric == "accuracy" and grouped.groups == len(table):
        lower, upper = exact_interval(*np.round(proportion_counts(metric, totals)), level)
        return row | {"lower": float(lower), "upper": float(upper), "method": EXACT, "note": ""}
    lower, upper, note = confidence_limits(metric, grouped, BY_GROUP, level)
    return row | {"lower": lower, "upper": upper, "method": BY_GROUP, "note": note}
