"""Verdicts on training procedures: one row per comparison that an experiment declares.

Only the primary metric is tested. All comparisons of an experiment in it are one family: with m
of them each p value is multiplied by m, and each interval has the level 1 - 0.05 / m (Bonferroni;
Dunn 1961). Intervals, p values and detectable differences therefore always agree, and every
comparison can be computed by itself. Other metrics are described with the interval for the trained
networks and have no p value.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from blastfold.core.names import PROCEDURE
from blastfold.core.notes import (
    DESCRIPTIVE,
    NO_VERDICT,
    UNDEFINED,
    join_notes,
    make_note,
    note_codes,
)
from blastfold.evaluation.intervals import BY_GROUP, LEVEL
from blastfold.statistics.outcomes import outcome
from blastfold.statistics.procedure import Verdict, compare_procedures

BY_REPEATS, BY_FOLDS, BY_HOLDOUTS = "repeats-t", "folds-t", "corrected-t"
"""The tests of procedures: with repeats of all folds, from one repeat, and of repeated holdouts."""

VERDICT_COLUMNS = (
    *("view", "metric", "method", "first", "second", "difference", "lower", "upper"),
    *("p_value", "adjusted_p_value", "minimum_detectable", "groups"),
    *("repeats", "family", "recommended", "outcome", "note"),
)


def compare_trained(
    metric: str,
    first: pd.DataFrame,
    second: pd.DataFrame,
    groups: pd.Series,
    family: int,
    ratio: float | None = None,
) -> dict:
    """Compare two procedures and return the row of their verdict.

    Args:
        metric: The primary metric.
        first: Test predictions of one: image_id, repeat, fold, label, probability.
        second: Those of the other.
        groups: Leakage group by image_id.
        family: Number of comparisons that the experiment declares.
        ratio: Test images per training image; from the number of grouped images when None.

    Returns:
        See :func:`verdict_row`.
    """
    ratios = tuple(ratio or tested_to_rest(side, groups) for side in (first, second))
    options = {"test_to_train": ratios, "level": LEVEL, "family": family}
    found = compare_procedures(metric, first, second, groups, **options)
    if "fewer_than_two_groups" not in note_codes(found.note):
        return verdict_row(found, family)
    # No verdict is possible; images give at least limits for these networks.
    alone = compare_procedures(metric, first, second, **options)
    limits = {name: getattr(alone, name) for name in ("networks_lower", "networks_upper")}
    note = join_notes(make_note("images_instead_of_groups"), found.note)
    return verdict_row(replace(found, **limits, note=note), family)


def verdict_row(found: Verdict, family: int) -> dict:
    """Return a verdict as a row of a table.

    Args:
        found: The verdict, computed for this family.
        family: Number of comparisons that the experiment declares.

    Returns:
        Columns :data:`VERDICT_COLUMNS`. Without a verdict the limits are those of the trained
        networks and the outcome is ``no_verdict`` or ``undefined``.
    """
    codes = note_codes(found.note)
    row = {
        "view": PROCEDURE,
        "metric": found.metric,
        "method": _method(found.repeats, codes),
        **{name: getattr(found, name) for name in ("first", "second", "difference")},
        "lower": found.lower,
        "upper": found.upper,
        "p_value": found.p_value,
        "adjusted_p_value": min(1.0, family * found.p_value),
        "minimum_detectable": found.minimum_detectable,
        "groups": found.groups,
        "repeats": found.repeats,
        "family": family,
        "recommended": True,
        "outcome": outcome(found.difference, family * found.p_value, 1 - LEVEL),
        "note": found.note,
    }
    if np.isnan(found.p_value):
        row |= {"method": BY_GROUP, "adjusted_p_value": np.nan}
        row |= {"lower": found.networks_lower, "upper": found.networks_upper}
        row["outcome"] = NO_VERDICT if "one_training_each" in codes else UNDEFINED
        row["note"] = found.note or make_note("undefined")
    return row


def _method(repeats: int, codes: set[str]) -> str:
    if "verdict_of_folds" not in codes:
        return BY_REPEATS
    return BY_FOLDS if repeats < 2 else BY_HOLDOUTS


def no_verdict(metric: str, family: int) -> dict:
    """Return the row of a comparison that has no predictions to compare."""
    nothing = Verdict(metric, *[np.nan] * 9, 0, 0, make_note("undefined"))
    return verdict_row(nothing, family)


def describe_only(table: pd.DataFrame, repeats: int, family: int) -> pd.DataFrame:
    """Mark rows of a table of differences as descriptive: they have no adjusted p value.

    Args:
        table: ``difference`` and ``note`` among its columns.
        repeats: Number of repeats of the trainings.
        family: Number of comparisons that the experiment declares.
    """
    descriptive = make_note("descriptive")
    return table.assign(
        adjusted_p_value=np.nan,
        repeats=repeats,
        family=family,
        outcome=np.where(table["difference"].isna(), UNDEFINED, DESCRIPTIVE),
        note=[join_notes(note, descriptive) for note in table["note"]],
    )


def repeats_of(tables: Sequence[pd.DataFrame]) -> int:
    """Return the smallest number of repeats of predictions."""
    return min(table["repeat"].nunique() if "repeat" in table else 1 for table in tables)


def tested_to_rest(tested: pd.DataFrame, groups: pd.Series) -> float:
    """Return the test images of a fold per other image, from the images that have a group."""
    keys = [key for key in ("repeat", "fold") if key in tested]
    size = len(tested) / (tested[keys].drop_duplicates().shape[0] if keys else 1)
    return size / max(len(groups) - size, 1)
