"""Crops in their photographs: the candidates are compared at full size, and one is chosen or none.

Supported are crops with the scale and the orientation of their photograph, also after JPEG
compression, a change of brightness or contrast, and filling up beyond the edge. Crops that were
resized, turned or mirrored, or whose background was masked, are not found.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from blastfold.cells import matching
from blastfold.cells.pictures import (
    GREEN,
    SECONDS_BETWEEN_REPORTS,
    Photograph,
    Piece,
    read_crop,
)
from blastfold.cells.places import Place
from blastfold.core.names import AMBIGUOUS, FOUND, IDENTICAL, NOT_FOUND
from blastfold.core.progress import Progress
from blastfold.images.decoding import decode_image
from blastfold.images.limits import ImageError, read_bytes

LEAST_CORRELATION = 0.95
"""Correlation from which a crop is in a photograph."""

LEAST_DETAIL = 0.93
"""The same for its detail, which excludes empty background under uneven light."""

LEAST_LEAD = 0.05
"""By how much the correlation, or that of the detail, is higher than in any photograph of another
field."""

WITHIN_BEST = 0.15
MOST_COMPARED = 6
"""Compared at full size are the best candidates: so many, and not so much worse than the best."""


class Match(NamedTuple):
    """A crop compared with one place at full size.

    Attributes:
        photograph: Number of the photograph.
        top: Row of the crop's upper edge in it, pixels; negative where the crop was filled up.
        left: Column of the crop's left edge.
        correlation: Of the green channel.
        detail: See :func:`blastfold.cells.matching.detail_correlation`.
        identical: Whether all pixels are equal.
    """

    photograph: int
    top: int
    left: int
    correlation: float
    detail: float
    identical: bool

    @property
    def accepted(self) -> bool:
        """Whether the photograph shows the crop."""
        return self.identical or (
            self.correlation >= LEAST_CORRELATION and self.detail >= LEAST_DETAIL
        )


class Outcome(NamedTuple):
    """What became of a crop.

    Attributes:
        code: One of :data:`blastfold.core.names.CROP_OUTCOMES`.
        matches: What it was compared with, the best first.
    """

    code: str
    matches: tuple[Match, ...] = ()

    @property
    def match(self) -> Match | None:
        """The chosen match; None for a crop that was not found."""
        return self.matches[0] if self.code in (IDENTICAL, FOUND) else None


def compare_crops(
    paths: Sequence[Path],
    pieces: Mapping[int, Piece],
    places: Mapping[int, Sequence[Place]],
    photographs: Sequence[Photograph],
    threads: int,
    report: Callable[[str], None],
) -> dict[int, list[Match]]:
    """Compare crops with their candidates at full size.

    Args:
        paths: File of every crop.
        pieces: Crops by their number.
        places: Their candidates, the best first.
        photographs: All photographs.
        threads: Threads; each holds one photograph.
        report: Is given a line every few seconds.

    Returns:
        The matches of every crop, the best first.
    """
    tasks: dict[int, list[tuple[int, Place]]] = defaultdict(list)
    for crop, candidates in places.items():
        for place in candidates[:MOST_COMPARED]:
            if place.score >= candidates[0].score - WITHIN_BEST:
                tasks[place.photograph].append((crop, place))
    progress = Progress(len(tasks), report, "photographs compared", SECONDS_BETWEEN_REPORTS)

    def compare(number: int) -> list[tuple[int, Match]]:
        try:
            picture = decode_image(read_bytes(photographs[number].path))
        except ImageError:
            # It was replaced after it was read; the import ends with an error for that.
            return []
        green = np.ascontiguousarray(picture[..., GREEN])
        return [
            (crop, _compare(paths[crop], pieces[crop], place, picture, green))
            for crop, place in tasks[number]
        ]

    matches: dict[int, list[Match]] = {crop: [] for crop in pieces}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for found in pool.map(compare, sorted(tasks)):
            progress.advance(1)
            for crop, match in found:
                matches[crop].append(match)
    order = {crop: sorted(found, key=_rank) for crop, found in matches.items()}
    return order


def _rank(match: Match) -> tuple:
    return (not match.identical, -match.correlation, match.photograph)


def _compare(
    path: Path, piece: Piece, place: Place, picture: np.ndarray, green: np.ndarray
) -> Match:
    above, before = piece.trimmed
    inner = slice(above, above + piece.height), slice(before, before + piece.width)
    crop = np.ascontiguousarray(read_crop(path)[inner])
    part = np.ascontiguousarray(crop[..., GREEN])
    reach = matching.fine_factor(piece.factor) + 1
    score, top, left = matching.best_near(green, part, place.top, place.left, reach)
    window = picture[top : top + piece.height, left : left + piece.width]
    if np.array_equal(window, crop):
        return Match(place.photograph, top - above, left - before, 1.0, 1.0, True)
    detail = matching.detail_correlation(window[..., GREEN], part)
    # Rounded for the table; 1 is kept for identical pixels.
    shown = min(round(score, 4), 0.9999)
    return Match(place.photograph, top - above, left - before, shown, round(detail, 4), False)


def _close(rival: Match, best: Match) -> bool:
    return (
        rival.correlation > best.correlation - LEAST_LEAD
        and rival.detail > best.detail - LEAST_LEAD
    )


def choose(matches: Sequence[Match], fields: Sequence[int]) -> Outcome:
    """Decide in which photograph a crop is.

    Args:
        matches: See :func:`compare_crops`.
        fields: Number of the field that every photograph shows. Photographs that overlap show one
            field; a crop may be in several of them, and the best one is chosen.
    """
    ordered = tuple(matches)
    if not ordered or not ordered[0].accepted:
        return Outcome(NOT_FOUND, ordered)
    best = ordered[0]
    others = [match for match in ordered if fields[match.photograph] != fields[best.photograph]]
    if best.identical:
        rivals = [match for match in others if match.identical]
    else:
        rivals = [match for match in others if _close(match, best)]
    if rivals:
        return Outcome(AMBIGUOUS, ordered)
    return Outcome(IDENTICAL if best.identical else FOUND, ordered)
