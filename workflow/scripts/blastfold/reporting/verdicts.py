"""What a test of a difference found, as a sentence: the words for outcomes and p values."""

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


def _detectable(difference: float) -> str:
    if difference >= 1:
        return " (too few groups to detect any)"
    return f" (detectable: {100 * difference:.1f} points)" if difference == difference else ""
