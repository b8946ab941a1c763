"""The Pareto front against its definition, pair by pair, and a worked example."""

import numpy as np
import pytest

from blastfold.statistics.pareto import pareto_front


def by_definition(costs, values):
    known = [
        not (np.isnan(cost) or np.isnan(value)) for cost, value in zip(costs, values, strict=True)
    ]
    front = []
    for i in range(len(costs)):
        beaten = any(
            known[j]
            and costs[j] <= costs[i]
            and values[j] >= values[i]
            and (costs[j] < costs[i] or values[j] > values[i])
            for j in range(len(costs))
        )
        front.append(known[i] and not beaten)
    return front


def test_worked_example():
    # Cheap and bad, dear and good, dear and bad; one between them; one without a cost.
    costs = [1, 10, 10, 3, np.nan]
    values = [0.6, 0.9, 0.5, 0.7, 0.99]
    assert pareto_front(costs, values).tolist() == [True, True, False, True, False]


def test_equal_members_are_all_on_the_front():
    assert pareto_front([2, 2, 3], [0.8, 0.8, 0.8]).tolist() == [True, True, False]


@pytest.mark.parametrize("seed", range(20))
def test_front_is_that_of_the_definition(seed):
    random = np.random.default_rng(seed)
    # Few levels, so that ties are frequent.
    costs, values = random.integers(0, 5, (2, 12)).astype(float)
    costs[random.random(12) < 0.1] = np.nan
    values[random.random(12) < 0.1] = np.nan
    assert pareto_front(costs, values).tolist() == by_definition(costs, values)


def test_no_members():
    assert pareto_front([], []).tolist() == []
