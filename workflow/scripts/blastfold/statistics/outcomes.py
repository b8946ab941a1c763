"""What tests of differences found: p values adjusted over a family of tests, and outcomes.

The outcomes become sentences in ``reporting/verdicts.py``.
"""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.core.notes import FIRST_HIGHER, NO_DIFFERENCE, SECOND_HIGHER, UNDEFINED


def holm(p_values: np.ndarray) -> np.ndarray:
    """Adjust p values by Holm's (1979) step-down method; NaN stays NaN and is not counted.

    Args:
        p_values: (tests,) of one family.

    Returns:
        (tests,) adjusted p values.
    """
    # Not statsmodels' multipletests: it collects garbage at every call, which took a quarter of the
    # time of a comparison.
    adjusted = np.asarray(p_values, dtype=np.float64).copy()
    defined = np.flatnonzero(~np.isnan(adjusted))
    ascending = defined[np.argsort(adjusted[defined], kind="stable")]
    factors = np.arange(len(ascending), 0, -1)
    adjusted[ascending] = np.minimum(np.maximum.accumulate(factors * adjusted[ascending]), 1.0)
    return adjusted


def outcome(difference: float, adjusted_p_value: float, significance: float = 0.05) -> str:
    """Return what a test of a difference found.

    Args:
        difference: First minus second.
        adjusted_p_value: Of the family of tests; NaN where the test is not defined.
        significance: The family's error rate.

    Returns:
        ``first_higher`` or ``second_higher`` where a difference was detected, ``no_difference``
        where none was, or ``undefined``.
    """
    if math.isnan(adjusted_p_value):
        return UNDEFINED
    if adjusted_p_value >= significance:
        return NO_DIFFERENCE
    return FIRST_HIGHER if difference > 0 else SECOND_HIGHER


def add_outcomes(table: pd.DataFrame, family: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Adjust the p values of a table of differences and add what each test found.

    Args:
        table: ``difference``, ``p_value`` and the columns of ``family``.
        family: Rows that are equal in these columns are one family of tests.
        level: 1 - level is the error rate of a family.

    Returns:
        The table with ``adjusted_p_value`` (:func:`holm`) and ``outcome`` (:func:`outcome`).
    """
    families = table.groupby(list(family), sort=False)["p_value"]
    adjusted = families.transform(lambda p_values: holm(p_values.to_numpy()))
    found = [
        outcome(difference, p_value, 1 - level)
        for difference, p_value in zip(table["difference"], adjusted, strict=True)
    ]
    return table.assign(adjusted_p_value=adjusted, outcome=found)
