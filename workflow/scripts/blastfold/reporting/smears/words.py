"""Words of codes in the tables of cells."""

from blastfold.core.names import (
    ARTEFACT,
    BY_ROUND_CELLS,
    BY_WIDEST_PLACES,
    CUT_BY_EDGE,
    GIVEN_SCALE,
    NO_RED_CELLS,
    PIECE_AT_EDGE,
    PLATELET,
    TOO_LARGE,
)
from blastfold.reporting.notes import sentences

REASONS = {
    CUT_BY_EDGE: "cut by the edge",
    PIECE_AT_EDGE: "piece at the edge",
    PLATELET: "platelet or fragment",
    TOO_LARGE: "clump or no cell",
    ARTEFACT: "no cell (ink, fibre or lettering)",
}
"""Why something purple is not a whole leukocyte."""

SCALES = {
    GIVEN_SCALE: "given",
    BY_ROUND_CELLS: "estimated from red cells",
    BY_WIDEST_PLACES: "estimated from red cells",
    NO_RED_CELLS: "unknown",
}
"""How the scale of a photograph is known."""

OUTSIDE = "unlike the training images"
"""A cell whose features are further from the training images than 99 % of these are."""


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentence(note: str) -> str:
    """Return the sentences of a stored note with a full stop; empty for an empty note."""
    text = sentences(note, short=True)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def percent(share: float) -> str:
    """Return a share in percent without decimals; a text of its own where it is not known."""
    return "unknown" if share != share else f"{100 * share:.0f} %"
