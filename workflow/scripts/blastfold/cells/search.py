"""The search for crops in photographs: read, compare coarsely, compare at full size, decide."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from blastfold.cells import matching
from blastfold.cells.crops import Outcome, choose, compare_crops
from blastfold.cells.overlaps import (
    Overlap,
    corner_pieces,
    find_overlaps,
    number_fields,
    shifts_of_corners,
    shifts_of_crops,
)
from blastfold.cells.pictures import Photograph, crop_pieces, read_photographs
from blastfold.cells.places import find_places
from blastfold.core.names import NOT_FOUND
from blastfold.images.decoding import one_opencv_thread

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Search:
    """What a search found.

    Attributes:
        photographs: The photographs that can be read.
        rejected: Why each other one cannot, by its file.
        outcomes: What became of every crop, in their order.
        overlaps: Pairs of photographs that overlap.
        fields: Of every photograph the lowest number of those that it is connected with by
            overlaps, itself included.
    """

    photographs: Sequence[Photograph]
    rejected: dict[Path, str]
    outcomes: list[Outcome]
    overlaps: list[Overlap]
    fields: list[int]


def find_crops(
    crops: Sequence[Path],
    photographs: Sequence[Path],
    threads: int = 1,
    report: Callable[[str], None] | None = logger.info,
) -> Search:
    """Find crops in photographs, and photographs that overlap.

    Args:
        crops: Files of one crop each, which can be read.
        photographs: Files of photographs.
        threads: Threads; each holds one photograph at full size.
        report: Is given a line every few seconds.

    Raises:
        ImageError: A crop cannot be read.
    """
    with one_opencv_thread():
        prepared = crop_pieces(crops, threads)
        wanted = {n: piece for n, piece in enumerate(prepared) if not isinstance(piece, str)}
        factors = Counter(piece.factor for piece in wanted.values())
        levels = {*factors, *map(matching.fine_factor, factors)}
        read, rejected = read_photographs(photographs, levels, threads, report)
        if not wanted or not read:
            outcomes = [Outcome(p if isinstance(p, str) else NOT_FOUND) for p in prepared]
            return Search(read, rejected, outcomes, [], list(range(len(read))))
        usual = factors.most_common(1)[0][0]
        corners = corner_pieces(read, usual)
        places = find_places([*wanted.values(), *corners], read, threads, report)
        of_crops, of_corners = places[: len(wanted)], places[len(wanted) :]
        shifts = shifts_of_crops(list(wanted.values()), of_crops)
        shifts += shifts_of_corners(corners, of_corners)
        overlaps = find_overlaps(read, shifts, usual, threads)
        fields = number_fields(len(read), overlaps)
        candidates = dict(zip(wanted, of_crops, strict=True))
        matches = compare_crops(crops, wanted, candidates, read, threads, report)
    outcomes = [
        Outcome(piece) if isinstance(piece, str) else choose(matches[number], fields)
        for number, piece in enumerate(prepared)
    ]
    return Search(read, rejected, outcomes, overlaps, fields)
