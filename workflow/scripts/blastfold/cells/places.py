"""Candidates: the few photographs in which a piece may be, and where, at a fine scale."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from blastfold.cells import matching
from blastfold.cells.pictures import SECONDS_BETWEEN_REPORTS, Photograph, Piece
from blastfold.core.progress import Progress

FIRST_PLACES, MOST_PLACES = 10, 32
"""How many places are looked at for one piece, and how many where none of the first is good."""

GOOD = 0.97
"""Correlation at the fine scale at which further places are not looked at."""

LEAST_FINE = 0.6
"""Places of a lower correlation at the fine scale are no candidates."""


class Place(NamedTuple):
    """Where a piece may be.

    Attributes:
        photograph: Number of the photograph.
        top: Row of the piece's upper edge, pixels of the photograph, about.
        left: Column of its left edge, about.
        score: Correlation at the fine scale.
    """

    photograph: int
    top: int
    left: int
    score: float


def find_places(
    pieces: Sequence[Piece],
    photographs: Sequence[Photograph],
    threads: int,
    report: Callable[[str], None],
) -> list[list[Place]]:
    """Return the candidates of every piece, the best first.

    Args:
        pieces: See :class:`Piece`; one that is a part of a photograph is not looked for there.
        photographs: With the levels of the pieces' factors.
        threads: Threads that look at candidates.
        report: Is given a line every few seconds.
    """
    count = len(pieces) * len(photographs)
    progress = Progress(count, report, "comparisons of pieces", SECONDS_BETWEEN_REPORTS)
    places: list[list[Place]] = [[] for _ in pieces]
    for factor in sorted({piece.factor for piece in pieces}):
        numbers = [number for number, piece in enumerate(pieces) if piece.factor == factor]
        group = [pieces[number] for number in numbers]
        scores, corners = _coarse(group, photographs, factor, threads, progress)

        def refine(index: int, group=group, scores=scores, corners=corners) -> list[Place]:
            return _refine(group[index], photographs, scores[index], corners[index])

        with ThreadPoolExecutor(max(1, threads)) as pool:
            for number, found in zip(numbers, pool.map(refine, range(len(group))), strict=True):
                places[number] = found
    return places


def _coarse(
    pieces: list[Piece],
    photographs: Sequence[Photograph],
    factor: int,
    threads: int,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best places of every piece in every photograph.

    Returns:
        Scores, (pieces, photographs, places); and row and column of the piece's corner at full
        size, (pieces, photographs, places, 2).
    """
    bank = matching.Bank(np.stack([piece.template for piece in pieces]))
    inside = np.array([piece.inside for piece in pieces])[:, None]
    homes = np.array([piece.home for piece in pieces])
    shape = len(pieces), len(photographs), matching.BANDS
    scores, corners = np.full(shape, -1, np.float32), np.zeros((*shape, 2), np.int32)

    def compare(number: int) -> None:
        small = photographs[number].levels.get(factor)
        if small is None:
            return
        found, windows = bank.best_places(small)
        found[homes == number] = -1
        scores[:, number] = found
        corners[:, number] = (windows - inside) * factor

    with ThreadPoolExecutor(max(1, threads)) as pool:
        for _ in pool.map(compare, range(len(photographs))):
            progress.advance(len(pieces))
    return scores, corners


def _refine(
    piece: Piece, photographs: Sequence[Photograph], scores: np.ndarray, corners: np.ndarray
) -> list[Place]:
    factor = matching.fine_factor(piece.factor)
    reach = piece.factor // factor + 1
    found: dict[tuple[int, int, int], float] = {}
    order = np.argsort(-scores, axis=None, kind="stable")[:MOST_PLACES]
    for rank, index in enumerate(order.tolist()):
        number, place = divmod(index, scores.shape[1])
        if scores[number, place] <= 0 or (
            rank >= FIRST_PLACES and max(found.values(), default=0) >= GOOD
        ):
            break
        top, left = (round(value / factor) for value in corners[number, place].tolist())
        level = photographs[number].levels[factor]
        score, top, left = matching.best_near(level, piece.fine, top, left, reach)
        if score >= LEAST_FINE:
            found[number, top * factor, left * factor] = score
    return sorted(
        (Place(*place, score) for place, score in found.items()), key=lambda place: -place.score
    )
