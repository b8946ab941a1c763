"""Official parts of data sets: which of them a predefined fold trains, validates and tests on."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from blastfold.core.names import PART_WORDS, ROLES, TEST, TRAIN, VALIDATION


class FoldParts(NamedTuple):
    """Parts of one fold; validation is None where it is drawn from the training images."""

    train: list[str]
    validation: list[str] | None
    test: list[str]


def parts_of_fold(protocol: Mapping, known: Iterable[str], fold: int) -> FoldParts:
    """Return the parts that a predefined fold uses.

    The usual names of one part mean the same: ``val`` is ``validation``. A protocol that names one
    part to test on and nothing else trains on all other parts, and validates on the part that is
    named so.

    Args:
        protocol: ``test_parts`` and perhaps ``train_parts`` and ``validation_parts``.
        known: The parts of the data set.
        fold: Number of the fold, the position in ``test_parts``.
    """
    known = [part for part in known if part]
    tested = _matching(protocol["test_parts"][fold : fold + 1], known)
    asked = {role: protocol.get(f"{role}_parts") for role in (TRAIN, VALIDATION)}
    if asked[TRAIN] is None and len(protocol["test_parts"]) == 1:
        asked[TRAIN] = known
        if asked[VALIDATION] is None:
            asked[VALIDATION] = [part for part in known if role_of_part(part) == VALIDATION] or None
    trained = _matching(asked[TRAIN] or protocol[f"{TEST}_parts"], known)
    validated = None if asked[VALIDATION] is None else _matching(asked[VALIDATION], known)
    held_out = {*tested, *(validated or ())}
    return FoldParts([part for part in trained if part not in held_out], validated, tested)


def unknown_parts(protocol: Mapping, known: Iterable[str]) -> list[str]:
    """Return the parts that a protocol names and the data set does not have."""
    known = list(known)
    asked = {part for role in ROLES for part in protocol.get(f"{role}_parts", ())}
    return sorted(part for part in asked if not _matching([part], known))


def _matching(asked: Iterable[str], known: Iterable[str]) -> list[str]:
    roles = {role_of_part(part) for part in asked}
    return [part for part in known if role_of_part(part) in roles]


def role_of_part(part: str) -> str:
    """Return the role that the usual names of a part have in common; other names as they are."""
    return PART_WORDS.get(part.casefold(), part)
