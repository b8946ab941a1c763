"""Candidate pairs of the duplicate audit: which two images could show the same pixels.

Described blobs (see :mod:`blastfold.leakage.duplicate_features`) are searched with an inverted file
(k-means cells, Jegou et al. 2011, doi:10.1109/TPAMI.2010.57), whose cost grows as n^1.5, not n^2.
:mod:`blastfold.leakage.duplicate_maps` asks whether the matches of two images agree on one map of
the plane, and :mod:`blastfold.leakage.duplicate_sketches` whether both images look alike under it.
All three work on some images at a time against all, so that memory does not grow with the matches.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from blastfold.leakage.duplicate_features import (
    Features,
    Projection,
    describe_images,
    enlargement,
    fit_projection,
    mirror,
    project,
)
from blastfold.leakage.duplicate_maps import MAP, Matches, find_maps
from blastfold.leakage.duplicate_sketches import compare_sketches

logger = logging.getLogger(__name__)

MINIMUM_COSINE = 0.8
CELLS_PROBED = 4
# Blobs that are searched at once: at least so many, and so many for each cell of the inverted file.
# OpenCV's product of fewer than about 100 rows takes seven times as long for each of them.
QUERIES_AT_ONCE, QUERIES_PER_CELL = 32_768, 64
FEWEST_ROWS = 112
COSINES_AT_ONCE = 1 << 24
MATCHES_PER_QUERY = 24
# The least correlation of sketches. Of the pairs that agree by chance, each 0.05 more leaves about
# half. Their number for each image grows with the number of images, and the bar with it.
MINIMUM_CORRELATION, HIGHEST_MINIMUM = 0.45, 0.6
MORE_PER_DOUBLING, FROM_IMAGES = 0.05, 10_000
MINIMUM_SKETCH_AREA = 0.01


def find_candidates(
    images: np.ndarray, rows: Sequence[int], threads: int, most: int = 60
) -> pd.DataFrame:
    """Find pairs of images whose blobs match in one map of the plane, and that look alike.

    Args:
        images: uint8 (n, height, width, 3), may be memory-mapped.
        rows: int (m,), the rows of ``images`` to compare, ascending; at least one.
        threads: Worker threads.
        most: The most pairs kept for an image, best first.

    Returns:
        One row per pair, best first: first, second (rows of ``images``, first < second), votes
        (sum of cosines, less for enlarged images) and the map from the first to the second image,
        m00, m01, m02, m10, m11, m12 (see :func:`blastfold.leakage.duplicate_maps.find_maps`).
    """
    with ThreadPoolExecutor(max(1, threads)) as workers:
        logger.info("duplicates: describing %d images", len(rows))
        features, sketches = describe_images(images, rows, workers)
        if not len(features.owners):
            return find_maps(Matches.none(), features)
        logger.info("duplicates: searching %d blobs", len(features.owners))
        index = _Index(features, fit_projection(features.descriptors), workers)

        def search(block: slice) -> pd.DataFrame:
            return _keep_similar(find_maps(index.search(block), features), sketches)

        at_once = max(QUERIES_AT_ONCE, QUERIES_PER_CELL * len(index.centres))
        found = pd.concat(workers.map(search, _blocks_of_images(features.owners, at_once)))
    # The blobs that appear when an image is enlarged are no further evidence.
    found["votes"] /= enlargement(*images.shape[1:3])
    found = found.sort_values("votes", ascending=False, kind="stable")
    kept = (found.groupby("first").cumcount() < most) | (found.groupby("second").cumcount() < most)
    found = found[kept].reset_index(drop=True)
    return found.assign(
        first=np.asarray(rows)[found["first"]], second=np.asarray(rows)[found["second"]]
    )


def _blocks_of_images(owners: np.ndarray, at_once: int) -> list[slice]:
    """Cut the blobs between images into pieces of at least so many, except the last."""
    blocks, start = [], 0
    while start < len(owners):
        last = owners[min(start + at_once, len(owners)) - 1]
        stop = int(np.searchsorted(owners, last, side="right"))
        blocks.append(slice(start, stop))
        start = stop
    return blocks


def _keep_similar(maps: pd.DataFrame, sketches: np.ndarray) -> pd.DataFrame:
    """Keep the pairs whose sketches are alike under their map."""
    placed = compare_sketches(
        sketches,
        maps["first"].to_numpy(),
        maps["second"].to_numpy(),
        maps[MAP].to_numpy(float).reshape(-1, 2, 3),
    )
    alike = placed.correlation >= _least_correlation(len(sketches))
    return maps[alike & (placed.common >= MINIMUM_SKETCH_AREA)]


def _least_correlation(images: int) -> float:
    more = MORE_PER_DOUBLING * max(0.0, math.log2(images / FROM_IMAGES))
    return min(MINIMUM_CORRELATION + more, HIGHEST_MINIMUM)


class _Index:
    """An inverted file over the blobs of all images."""

    def __init__(
        self, features: Features, projection: Projection, workers: ThreadPoolExecutor
    ) -> None:
        self.features, self.projection = features, projection
        database = project(features.descriptors, projection)
        self.centres = _cell_centres(database)
        blocks = _pieces(len(database), QUERIES_AT_ONCE)
        nearest = workers.map(lambda block: self._nearest_cells(database[block], 1), blocks)
        self.cells = _members(np.concatenate(list(nearest)), len(self.centres))
        self.entries = [database[cell] for cell in self.cells]

    def _nearest_cells(self, vectors: np.ndarray, count: int) -> np.ndarray:
        """Return int32 (n, count), the cells whose centres are closest."""
        near = np.empty((len(vectors), count), np.int32)
        for block in _pieces(len(vectors), max(1, COSINES_AT_ONCE // len(self.centres))):
            cosine = _cosines(vectors[block], self.centres)
            every = np.arange(len(cosine))
            # A few searches for the largest value cost a fraction of NumPy's partition.
            for rank in range(count):
                near[block, rank] = best = np.argmax(cosine, axis=1)
                cosine[every, best] = -np.inf
        return near

    def search(self, block: slice) -> Matches:
        """Return the matches of these blobs, and of their mirror images, with later images."""
        descriptors = self.features.descriptors[block]
        found = [
            self._search(project(descriptors, self.projection), block.start, mirrored=False),
            self._search(project(mirror(descriptors), self.projection), block.start, mirrored=True),
        ]
        return Matches(*map(np.concatenate, zip(*found, strict=True)))

    def _search(self, asked: np.ndarray, start: int, mirrored: bool) -> Matches:
        owners, probes = self.features.owners, min(CELLS_PROBED, len(self.centres))
        near = self._nearest_cells(asked, probes)
        # Blobs of images up to that of the first query are of a later image to none of them, which
        # saves half of all comparisons.
        later_from = np.searchsorted(owners, owners[start], side="right")
        found = [Matches.none()]
        for asking, whole_cell, whole_entries in zip(
            _members(near, len(self.centres)), self.cells, self.entries, strict=True
        ):
            unasked = np.searchsorted(whole_cell, later_from)
            cell, entries = whole_cell[unasked:], whole_entries[unasked:]
            asking = asking // probes
            query, entry, cosine = _compare(asked[asking], entries)
            query, entry = asking[query] + start, cell[entry]
            later = owners[query] < owners[entry]
            found.append(
                Matches(
                    query[later].astype(np.int32),
                    entry[later].astype(np.int32),
                    cosine[later],
                    np.full(np.count_nonzero(later), mirrored),
                )
            )
        return _best_of_each(Matches(*map(np.concatenate, zip(*found, strict=True))))


def _best_of_each(matches: Matches) -> Matches:
    """Keep the closest MATCHES_PER_QUERY matches of every query."""
    order = np.lexsort((-matches.cosine, matches.query))
    query = matches.query[order]
    return matches.take(order[_rank_in_run(query) < MATCHES_PER_QUERY])


def _rank_in_run(values: np.ndarray) -> np.ndarray:
    """Return the position of every element within its run of equal values."""
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]][: len(values)])
    return np.arange(len(values)) - np.repeat(starts, np.diff(np.r_[starts, len(values)]))


def _pieces(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the scalar products (n, m) of unit vectors (n, d) and (m, d)."""
    # OpenCV's product stays in its thread. NumPy's starts threads of its own in every worker,
    # which cost ten times the work on products this small.
    rows = len(first)
    if rows < FEWEST_ROWS:
        first = np.concatenate([first, np.zeros((FEWEST_ROWS - rows, first.shape[1]), first.dtype)])
    return cv2.gemm(first, second, 1, None, 0, flags=cv2.GEMM_2_T)[:rows]


def _cell_centres(database: np.ndarray) -> np.ndarray:
    """Return about sqrt(n) k-means centres of unit length for unit vectors (n, d)."""
    count = max(1, round(np.sqrt(len(database))))
    sample = database[:: max(1, len(database) // (40 * count))]
    # Evenly spaced starting points, not random ones: the same data give the same cells.
    centres = sample[np.linspace(0, len(sample) - 1, count).astype(int)]
    for _ in range(5):
        nearest = np.argmax(_cosines(sample, centres), axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), centres)
    return centres


def _members(cells: np.ndarray, count: int) -> list[np.ndarray]:
    """Return, for every cell, the flat indices of ``cells`` that name it."""
    order = np.argsort(cells, axis=None, kind="stable")
    return np.split(order, np.searchsorted(cells.ravel()[order], np.arange(1, count)))


def _compare(queries: np.ndarray, entries: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return (query, entry, cosine) of the close pairs, where many are close the closest."""
    pieces = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))]
    for piece in _pieces(len(queries), max(1, COSINES_AT_ONCE // max(1, len(entries)))):
        if not len(entries):
            break
        cosine = _cosines(queries[piece], entries)
        # On the flat array: NumPy's two-dimensional search is twenty times slower.
        close = np.flatnonzero(cosine >= MINIMUM_COSINE)
        if close.size > MATCHES_PER_QUERY * len(cosine) and len(entries) > MATCHES_PER_QUERY:
            bar = np.partition(cosine, -MATCHES_PER_QUERY, axis=1)[:, -MATCHES_PER_QUERY]
            close = np.flatnonzero(cosine >= np.maximum(bar, MINIMUM_COSINE)[:, None])
        query, entry = np.divmod(close, len(entries))
        pieces.append((query + piece.start, entry, cosine.ravel()[close]))
    return tuple(map(np.concatenate, zip(*pieces, strict=True)))
