"""Permutation p values: where the result on the true labels lies among those on permuted labels."""

from typing import NamedTuple

import numpy as np


class PermutationTest(NamedTuple):
    """A result among those of permutations.

    Attributes:
        observed: The result on the true labels.
        permutations: Number of permutations whose result is defined.
        p_value: One-sided; NaN without a defined result.
        median: Of the permutations.
        lower: Their 2.5th percentile.
        upper: Their 97.5th percentile.
        smallest: Their smallest result.
        largest: Their largest result.
    """

    observed: float
    permutations: int
    p_value: float
    median: float
    lower: float
    upper: float
    smallest: float
    largest: float


def permutation_test(
    observed: float, permuted: np.ndarray, random_generator: np.random.Generator
) -> PermutationTest:
    """Test whether a result is higher than permuted labels explain.

    The p value is (b + 1) / (m + 1), where b of m permutations have a higher result. It is never
    0, because the true labels are one of the possible permutations (Phipson and Smyth 2010,
    Permutation P-values should never be zero, equation 2). Of permutations with an equal result a
    random number is counted, each from none to all with the same probability, so that the p value
    is uniform where the true labels say nothing.

    Args:
        observed: The result on the true labels; NaN where it is undefined.
        permuted: (m,), the results on permuted labels; NaN values are left out.
        random_generator: For ties.

    Returns:
        The test, NaN where nothing is defined.
    """
    permuted = np.asarray(permuted, dtype=np.float64)
    defined = permuted[~np.isnan(permuted)]
    if len(defined) == 0:
        return PermutationTest(observed, 0, *[np.nan] * 6)
    # Equal AUCs of several folds may differ in the last digit of their mean.
    above = int(np.sum(defined > observed + 1e-12))
    equal = int(np.sum(np.abs(defined - observed) <= 1e-12))
    higher = above + int(random_generator.integers(0, equal + 1))
    p_value = np.nan if np.isnan(observed) else (higher + 1) / (len(defined) + 1)
    lower, median, upper = np.quantile(defined, (0.025, 0.5, 0.975))
    return PermutationTest(
        float(observed),
        len(defined),
        float(p_value),
        *(float(value) for value in (median, lower, upper, defined.min(), defined.max())),
    )
