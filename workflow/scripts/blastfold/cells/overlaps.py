"""Photographs that overlap one another: two photographs of one field of a smear.

Where two photographs of one scale and orientation overlap, a corner of one is inside the other.
The corners of every photograph are therefore looked for in all others. A place that is found, or
two photographs in which one crop was found, give a shift between the photographs. It counts when
their whole common area shows the same detail.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from blastfold.cells import matching
from blastfold.cells.pictures import Photograph, Piece
from blastfold.cells.places import Place

LEAST_DETAIL = 0.75
"""Correlation of the detail of the common area. Two photographs of one field have 0.9 and more; by
chance, up to 0.7 was seen at a corner."""

FIRST_DETAIL = 0.3
"""The same before the shift is corrected, and for every fourth pixel."""

LEAST_AREA = 0.5
"""Common area, as a part of the area of the piece that was found in both."""

LEAST_SCORE = 0.8
"""Places of a lower correlation at the fine scale give no shift."""

SLACK = 2
"""Pixels of the shrunk photographs by which a shift may be wrong."""


class Shift(NamedTuple):
    """How two photographs may overlap.

    Attributes:
        first: Number of a photograph.
        second: Number of another one.
        down: Row of the first one that is the second one's row 0, pixels, about.
        right: Column of the first one that is the second one's column 0.
        area: Pixels of what was found in both.
    """

    first: int
    second: int
    down: int
    right: int
    area: int


class Overlap(NamedTuple):
    """Two photographs that overlap.

    Attributes:
        first: Number of a photograph.
        second: Number of another one, higher.
        down: Row of the first one that is the second one's row 0.
        right: Column of the first one that is the second one's column 0.
        share: Common area as a part of the smaller photograph, 0 to 1.
        detail: Correlation of the detail of the common area.
    """

    first: int
    second: int
    down: int
    right: int
    share: float
    detail: float


def corner_pieces(photographs: Sequence[Photograph], factor: int) -> list[Piece]:
    """Return the corners of all photographs as pieces, about as large as the crops.

    Args:
        photographs: With the levels ``factor`` and its ``fine_factor``.
        factor: By how much the templates of most crops are shrunk.

    Returns:
        At most four pieces for each photograph: those with texture.
    """
    fine_factor = matching.fine_factor(factor)
    ratio, side = factor // fine_factor, matching.TEMPLATE
    pieces = []
    for number, photograph in enumerate(photographs):
        coarse = photograph.levels.get(factor)
        if coarse is None or min(coarse.shape) < 2 * side:
            continue
        for top, left in product(*((0, length - side) for length in coarse.shape)):
            template, _, _ = matching.coarse_template(coarse[top : top + side, left : left + side])
            if template is None:
                continue
            rows, columns = (slice(ratio * at, ratio * (at + side)) for at in (top, left))
            fine = np.ascontiguousarray(photograph.levels[fine_factor][rows, columns])
            pieces.append(
                Piece(
                    *(side * factor, side * factor, factor, template, (0, 0), fine),
                    home=number,
                    corner=(top * factor, left * factor),
                )
            )
    return pieces


def find_overlaps(
    photographs: Sequence[Photograph],
    shifts: Iterable[Shift],
    coarse: int,
    threads: int,
) -> list[Overlap]:
    """Return the pairs of photographs whose common area shows the same.

    Args:
        photographs: With the level of ``matching.fine_factor(coarse)``.
        shifts: What to try; several of one pair may be given.
        coarse: By how much the templates of most crops are shrunk.
        threads: Threads.

    Returns:
        One overlap for each pair, the best one, in the order of the photographs.
    """
    factor = matching.fine_factor(coarse)
    rounded = {}
    for first, second, down, right, area in shifts:
        if first == second:
            continue
        if first > second:
            first, second, down, right = second, first, -down, -right
        place = first, second, round(down / (4 * factor)), round(right / (4 * factor))
        rounded.setdefault(place, Shift(first, second, down, right, area))
    side = matching.TEMPLATE * coarse // factor
    best: dict[tuple[int, int], Overlap] = {}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        needed = sorted({number for shift in rounded.values() for number in shift[:2]})
        levels = [photographs[number].levels[factor] for number in needed]
        details = dict(
            zip(needed, pool.map(lambda level: _detail(level, side), levels), strict=True)
        )
        compared = pool.map(lambda shift: _compare(details, shift, factor), rounded.values())
        for overlap in filter(None, compared):
            pair = overlap[:2]
            if pair not in best or overlap.detail > best[pair].detail:
                best[pair] = overlap
    return [best[pair] for pair in sorted(best)]


def _detail(level: np.ndarray, side: int) -> np.ndarray:
    """Return the detail of a shrunk photograph, rounded to int8 to save memory."""
    return np.clip(np.rint(matching.detail(level, side)), -128, 127).astype(np.int8)


def _compare(details: Mapping[int, np.ndarray], shift: Shift, factor: int) -> Overlap | None:
    """Return the overlap at about this shift; None where the common area differs."""
    one, other = details[shift.first], details[shift.second]
    down, right = round(shift.down / factor), round(shift.right / factor)
    top, bottom = max(0, down), min(one.shape[0], down + other.shape[0])
    before, after = max(0, right), min(one.shape[1], right + other.shape[1])
    area = (bottom - top) * (after - before)
    if min(bottom - top, after - before) < 8 * SLACK or area * factor**2 < LEAST_AREA * shift.area:
        return None
    part = one[top:bottom, before:after]
    rest = other[top - down : bottom - down, before - right : after - right]
    if matching.correlation(part[::2, ::2], rest[::2, ::2]) < FIRST_DETAIL:
        return None
    inner = rest[SLACK:-SLACK, SLACK:-SLACK].astype(np.float32)
    detail, row, column = matching.best_near(part.astype(np.float32), inner, SLACK, SLACK, SLACK)
    if detail < LEAST_DETAIL:
        return None
    places = (down + row - SLACK) * factor, (right + column - SLACK) * factor
    share = area / min(one.size, other.size)
    return Overlap(shift.first, shift.second, *places, round(share, 4), round(detail, 4))


def number_fields(count: int, overlaps: Iterable[Overlap]) -> list[int]:
    """Return the field of every photograph: the lowest number of those it is connected with.

    Args:
        count: Number of photographs.
        overlaps: See :func:`find_overlaps`.
    """
    pairs = np.array([overlap[:2] for overlap in overlaps], int).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    labels = connected_components(graph, directed=False)[1]
    first = {}
    for number, label in enumerate(labels.tolist()):
        first.setdefault(label, number)
    return [first[label] for label in labels.tolist()]


def shifts_of_corners(pieces: Sequence[Piece], places: Sequence[Sequence[Place]]) -> list[Shift]:
    """Return the shifts that corners found in other photographs give."""
    return [
        Shift(
            *(piece.home, place.photograph),
            *(piece.corner[0] - place.top, piece.corner[1] - place.left),
            piece.height * piece.width,
        )
        for piece, candidates in zip(pieces, places, strict=True)
        for place in candidates
        if place.score >= LEAST_SCORE
    ]


def shifts_of_crops(pieces: Sequence[Piece], places: Sequence[Sequence[Place]]) -> list[Shift]:
    """Return the shifts that crops with several candidates give: each with the best."""
    return [
        Shift(
            *(candidates[0].photograph, place.photograph),
            *(candidates[0].top - place.top, candidates[0].left - place.left),
            piece.height * piece.width,
        )
        for piece, candidates in zip(pieces, places, strict=True)
        for place in candidates[1:]
        if place.score >= LEAST_SCORE
    ]
