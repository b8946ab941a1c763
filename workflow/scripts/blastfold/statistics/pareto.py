"""The Pareto front of cost and value: what no other choice beats in both."""

from collections.abc import Sequence

import numpy as np


def pareto_front(costs: Sequence[float], values: Sequence[float]) -> np.ndarray:
    """Mark the members of the Pareto front.

    A member has no other that costs at most as much and is worth at least as much, and differs in
    one of the two. Equal members are all on the front.

    Args:
        costs: Cost of each, smaller is better; NaN where unknown.
        values: Value of each, larger is better; NaN where undefined.

    Returns:
        Boolean, one for each; False where cost or value is NaN, which also beats no other.
    """
    cost, value = (np.asarray(numbers, dtype=float) for numbers in (costs, values))
    known = ~(np.isnan(cost) | np.isnan(value))
    no_worse = (cost[:, np.newaxis] <= cost) & (value[:, np.newaxis] >= value)
    better = (cost[:, np.newaxis] < cost) | (value[:, np.newaxis] > value)
    beaten = (no_worse & better & known[:, np.newaxis]).any(axis=0)
    return known & ~beaten
