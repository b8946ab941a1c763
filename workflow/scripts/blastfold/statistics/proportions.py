"""Intervals of a proportion.

They are those of statsmodels' ``proportion_confint``, whose import takes longer than the evaluation
of a model: it loads all distributions of SciPy.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv, ndtri


def wilson_interval(hits: ArrayLike, trials: ArrayLike, level: float) -> tuple:
    """Return the lower and upper end of Wilson's score interval.

    Wilson (1927), Probable inference, the law of succession, and statistical inference.

    Args:
        hits: Successes; may be fractional.
        trials: Trials, more than 0; may be fractional.
        level: Confidence level.
    """
    return wilson_interval_of_tails(hits, trials, 1 - level)


def wilson_interval_of_tails(hits: ArrayLike, trials: ArrayLike, tails: float) -> tuple:
    """Return Wilson's interval whose two tails together have a probability.

    See :func:`wilson_interval`; a level near 1 has more digits as its tails.
    """
    trials = np.asarray(trials, dtype="float64")
    share = hits / trials
    critical = -ndtri(tails / 2.0)
    denominator = 1 + critical**2 / trials
    centre = (share + critical**2 / (2 * trials)) / denominator
    reach = critical * np.sqrt(share * (1.0 - share) / trials + critical**2 / (4.0 * trials**2))
    reach /= denominator
    return np.clip(centre - reach, 0, 1), np.clip(centre + reach, 0, 1)


def exact_interval(hits: float, trials: float, level: float) -> tuple[float, float]:
    """Return the exact interval: the lower end without hits is 0, the upper end without misses 1.

    Clopper and Pearson (1934), The use of confidence or fiducial limits illustrated in the case of
    the binomial.

    Args:
        hits: Successes; may be fractional.
        trials: Trials, more than 0; may be fractional.
        level: Confidence level.
    """
    tail, misses = (1 - level) / 2, trials - hits
    lower = betaincinv(hits, misses + 1, tail) if hits > 0 else 0.0
    upper = betaincinv(hits + 1, misses, 1 - tail) if misses > 0 else 1.0
    return float(lower), float(upper)
