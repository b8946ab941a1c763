"""Candidate pairs of the duplicate audit: which two images could show the same pixels.

Described blobs (see :mod:`blastfold.leakage.duplicate_features`) are searched with an inverted file
(k-means cells, Jegou et al. 2011, doi:10.1109/TPAMI.2010.57), whose cost grows as n^1.5, not n^2.
What matches is handed to :mod:`blastfold.leakage.duplicate_maps`, which asks whether the matches
of two images agree on one map of the plane.
"""

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from blastfold.leakage.duplicate_features import (
    describe_images,
    fit_projection,
    mirror,
    project,
)
from blastfold.leakage.duplicate_maps import Matches, find_maps

logger = logging.getLogger(__name__)

MINIMUM_COSINE = 0.8
CELLS_PROBED = 4
QUERIES_AT_ONCE = 32768
MATCHES_PER_QUERY = 48


def find_candidates(
    images: np.ndarray, rows: Sequence[int], threads: int, most: int = 60
) -> pd.DataFrame:
    """Find pairs of images whose blobs match in one map of the plane.

    Args:
        images: uint8 (n, height, width, 3), may be memory-mapped.
        rows: int (m,), the rows of ``images`` to compare, ascending.
        threads: Worker threads.
        most: The most pairs kept for an image, best first.

    Returns:
        One row per pair, best first: first, second (rows of ``images``, first < second), votes
        (sum of cosines) and the map from the first to the second image, m00, m01, m02, m10, m11,
        m12 (see :func:`blastfold.leakage.duplicate_maps.find_maps`).
    """
    with ThreadPoolExecutor(max(1, threads)) as workers:
        logger.info("duplicates: describing %d images", len(rows))
        features = describe_images(images, rows, workers)
        if not len(features.owners):
            return find_maps(Matches.none(), features, most)
        logger.info("duplicates: searching %d blobs", len(features.owners))
        projection = fit_projection(features.descriptors)
        database = project(features.descriptors, projection)
        index = _Index(database, features.owners, workers)
        found = [index.search(database, mirrored=False)]
        found.append(index.search(project(mirror(features.descriptors), projection), mirrored=True))
    logger.info("duplicates: judging %d matches", sum(len(part.query) for part in found))
    return find_maps(Matches(*map(np.concatenate, zip(*found, strict=True))), features, most)


class _Index:
    """An inverted file over unit vectors (n, d)."""

    def __init__(
        self, database: np.ndarray, owners: np.ndarray, workers: ThreadPoolExecutor
    ) -> None:
        self.owners, self.workers = owners, workers
        self.centres = _cell_centres(database)
        home = np.concatenate(list(workers.map(self._nearest_cell, _blocks(database))))
        self.cells = _members(home, len(self.centres))
        self.entries = [database[cell] for cell in self.cells]

    def _nearest_cell(self, vectors: np.ndarray) -> np.ndarray:
        return np.argmax(_cosines(vectors, self.centres), axis=1)

    def search(self, queries: np.ndarray, mirrored: bool) -> Matches:
        """Return the matches of every query with entries of later images."""
        probes = min(CELLS_PROBED, len(self.centres))

        def search(start: int) -> Matches:
            asked = queries[start : start + QUERIES_AT_ONCE]
            near = np.argpartition(_cosines(asked, self.centres), -probes, axis=1)[:, -probes:]
            found = [(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))]
            for asking, cell, entries in zip(
                _members(near, len(self.centres)), self.cells, self.entries, strict=True
            ):
                asking = asking // probes
                query, entry, cosine = _compare(asked[asking], entries)
                query, entry = asking[query] + start, cell[entry]
                ordered = self.owners[query] < self.owners[entry]
                found.append(
                    (
                        query[ordered].astype(np.int32),
                        entry[ordered].astype(np.int32),
                        cosine[ordered],
                    )
                )
            query, entry, cosine = map(np.concatenate, zip(*found, strict=True))
            return Matches(query, entry, cosine, np.full(len(query), mirrored))

        found = list(self.workers.map(search, range(0, len(queries), QUERIES_AT_ONCE)))
        return Matches(*map(np.concatenate, zip(*found, strict=True)))


def _blocks(vectors: np.ndarray) -> Iterable[np.ndarray]:
    return (
        vectors[start : start + QUERIES_AT_ONCE]
        for start in range(0, len(vectors), QUERIES_AT_ONCE)
    )


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the scalar products (n, m) of unit vectors (n, d) and (m, d)."""
    # OpenCV's product stays in its thread. NumPy's starts threads of its own in every worker,
    # which cost ten times the work on products this small.
    return cv2.gemm(first, second, 1, None, 0, flags=cv2.GEMM_2_T)


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
    """Return (query, entry, cosine) of the close pairs, at most MATCHES_PER_QUERY a query."""
    if not len(queries) or not len(entries):
        return np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32)
    cosine = _cosines(queries, entries)
    # On the flat array: NumPy's two-dimensional search is twenty times slower.
    close = np.flatnonzero(cosine >= MINIMUM_COSINE)
    if close.size > MATCHES_PER_QUERY * len(queries) and len(entries) > MATCHES_PER_QUERY:
        bar = np.partition(cosine, -MATCHES_PER_QUERY, axis=1)[:, -MATCHES_PER_QUERY]
        close = np.flatnonzero(cosine >= np.maximum(bar, MINIMUM_COSINE)[:, None])
    query, entry = np.divmod(close, len(entries))
    return query, entry, cosine[query, entry]
