"""What a test of a difference found, as a sentence: the words for outcomes and p values."""

from collections.abc import Mapping

from blastfold.core.errors import BlastfoldError
from blastfold.core.notes import (
    DESCRIPTIVE,
    FIRST_HIGHER,
    NO_DIFFERENCE,
    NO_VERDICT,
    SECOND_HIGHER,
    UNDEFINED,
)
from blastfold.reporting.notes import SENTENCES
from blastfold.reporting.tables.writing import MINUS

SAME_MODEL_RATES = {1: 0.0085, 3: 0.0475, 5: 0.037}
"""How often a difference in AUC is detected between two trainings of one procedure with other
seeds, by number of repeats: 2000 simulations each of 18 subjects in 3 folds, own backbones, as a
comparison by itself; adjusted for other comparisons it is rarer. Measured by ``make benchmark``,
check "same procedure, two seeds" of ``tests/benchmarks/test_procedure_simulation.py``."""


def control_words(repeats: int) -> str:
    """Return how often a comparison of a model with itself fails in the simulation.

    Args:
        repeats: Number of repeats of the protocol.
    """
    known = [count for count in SAME_MODEL_RATES if count <= repeats]
    if not known:
        return ""
    return f" (in {100 * SAME_MODEL_RATES[max(known)]:.1f} % of simulations)"


def outcome_words(
    outcome: str, detectable: float, first: str, second: str, what: str = "difference"
) -> str:
    """Return what a test of a difference found, in words.

    Args:
        outcome: The stored outcome, for instance ``no_difference``.
        detectable: The difference that is detected with 80 % power (fraction), NaN if unknown.
        first: The words for a higher first side.
        second: The words for a higher second side.
        what: What was tested, "difference" or "gap".

    Returns:
        For instance "no difference detected (detectable: 13.4 points)".

    Raises:
        BlastfoldError: The outcome is unknown.
    """
    words = {FIRST_HIGHER: first, SECOND_HIGHER: second, UNDEFINED: "undefined"}
    words |= {DESCRIPTIVE: "descriptive", NO_VERDICT: SENTENCES["one_training_each"]}
    words[NO_DIFFERENCE] = f"no {what} detected" + _detectable(detectable)
    if outcome not in words:
        raise BlastfoldError(f"outcome '{outcome}': expected one of {', '.join(words)}")
    return words[outcome]


MARGIN = 0.05
"""The largest loss in the primary metric that "as good" allows. Without it every small data set
would make every cheap model as good as every other one."""


def cost_words(row: Mapping, reference: str) -> str:
    """Return what a model is worth next to one that costs more.

    The words are no stronger than the test. "As good" needs an interval that excludes a loss of
    more than :data:`MARGIN`; otherwise no difference was detected, and the interval shows how
    little that says.

    Args:
        row: difference, difference_lower, difference_upper, minimum_detectable (fractions),
            outcome, and cost_ratio, the cost of the other model divided by that of this one.
        reference: Title of the other model.

    Returns:
        For instance "as good as VGG19 within the interval (difference -0.4 points [-3.1, +2.3];
        detectable: 2.9 points), at 1/12 of its multiply-adds".

    Raises:
        BlastfoldError: The outcome is unknown.
    """
    numbers = (row["difference"], row["difference_lower"], row["difference_upper"])
    value, lower, upper = (_points(min(max(number, -1), 1)) for number in numbers)
    found = f"difference {value} points [{lower}, {upper}]"
    found += ", cut at 100 points" if max(map(abs, numbers)) > 1 else ""
    detectable = _detectable(row["minimum_detectable"])
    if detectable:
        found += f"; {detectable.strip(' ()')}"
    good = row["difference_lower"] >= -MARGIN
    equal = f"as good as {reference} within the interval" if good else None
    words = {
        NO_DIFFERENCE: f"{equal or f'no difference from {reference} detected'} ({found})",
        FIRST_HIGHER: f"better than {reference} ({found})",
        SECOND_HIGHER: f"worse than {reference} ({found})",
        NO_VERDICT: f"no verdict on {reference}: {SENTENCES['one_training_each']}",
        UNDEFINED: f"the difference from {reference} is undefined",
    }
    if row["outcome"] not in words:
        raise BlastfoldError(f"outcome '{row['outcome']}': expected one of {', '.join(words)}")
    return f"{words[row['outcome']]}, at {cost_share(row['cost_ratio'])} of its multiply-adds"


def cost_share(ratio: float) -> str:
    """Return the share of a larger cost, for instance "1/12", "1/2.5" or "80 %".

    Args:
        ratio: The larger cost divided by the smaller one.
    """
    if ratio >= 10:
        return f"1/{ratio:.0f}"
    return f"1/{ratio:.1f}".removesuffix(".0") if ratio >= 1.5 else f"{100 / ratio:.0f} %"


def _points(fraction: float) -> str:
    points = f"{100 * fraction:+.1f}"
    return points.replace("+0.0", "0.0").replace("-0.0", "0.0").replace("-", MINUS)


def _detectable(difference: float) -> str:
    if difference >= 1:
        return " (too few groups to detect any)"
    return f" (detectable: {100 * difference:.1f} points)" if difference == difference else ""
