"""Candidate pairs of the duplicate audit: which two images could show the same pixels.

Every image is described by patches around its blobs (extrema of a difference of Gaussians, Lowe
2004, doi:10.1023/B:VISI.0000029664.99615.94), because a blob keeps its surroundings when the crop
around it moves. A patch becomes the low frequencies of its discrete cosine transform: there a flip
only changes signs and a transposition only swaps axes, so that all eight orientations of a query
cost one array operation. The descriptors are searched with an inverted file (k-means cells, Jegou
et al. 2011, doi:10.1109/TPAMI.2010.57), whose cost grows as n^1.5, not n^2. Patches that match
vote for one orientation and one shift of their two images.
"""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from blastfold.leakage.duplicate_images import STEPS, find_detail, orientations_of, shrink_to_grey

logger = logging.getLogger(__name__)

WORKING_SIZE = 64
FREQUENCIES = 7
MINIMUM_COSINE = 0.88
# Two agreeing patches, or a single one this close, make a candidate.
MINIMUM_VOTE = 1.75
MINIMUM_LONE_COSINE = 0.96
SHIFT_STEP = 4.0
CELLS_PROBED = 4
QUERIES_AT_ONCE = 32768
MATCHES_PER_QUERY = 48


class Level(NamedTuple):
    """One size of blob: its sigma, the patch around it, the most that an image gives."""

    sigma: float
    radius: int
    blobs: int


LEVELS = (Level(1.2, 7, 12), Level(2.2, 11, 8))


class Described(NamedTuple):
    """The patches of one level: row of the image (n,), position (n, 2), descriptor (n, F, F)."""

    owners: np.ndarray
    positions: np.ndarray
    descriptors: np.ndarray


def find_candidates(
    images: np.ndarray, rows: np.ndarray, threads: int, most: int = 60
) -> pd.DataFrame:
    """Find pairs of images that share patches in one orientation and shift.

    Args:
        images: uint8 (n, height, width, 3), may be memory-mapped.
        rows: int (m,), the rows of ``images`` to compare, ascending.
        threads: Worker threads.
        most: The most hypotheses kept for an image, best first.

    Returns:
        One row per hypothesis, best first: first, second (rows of ``images``, first < second),
        orientation (0-7), down, right (shift, as a share of the longer side, that brings the
        oriented first image onto the second), votes (sum of cosines).
    """
    height, width = images.shape[1:3]
    with ThreadPoolExecutor(max(1, threads)) as workers:
        logger.info("duplicates: describing %d images", len(rows))
        levels, shape = _describe_all(images, rows, workers)
        matches = []
        for number, level in enumerate(levels, 1):
            logger.info("duplicates: searching %d patches of size %d", len(level.owners), number)
            matches += list(_search(level, orientations_of(height, width), shape, workers))
    if not matches:
        return _count_votes(np.zeros((0, 6)), len(images), most)
    return _count_votes(np.concatenate(matches), len(images), most)


def _describe_all(
    images: np.ndarray, rows: np.ndarray, workers: ThreadPoolExecutor
) -> tuple[list[Described], tuple[int, int]]:
    """Describe the chosen rows; also return the (height, width) of the working copies."""

    def describe(row: int) -> list[tuple[np.ndarray, np.ndarray]]:
        return describe_image(find_detail(shrink_to_grey(images[row], WORKING_SIZE)).values)

    described = list(workers.map(describe, rows, chunksize=64))
    levels = []
    for number in range(len(LEVELS)):
        parts = [image[number] for image in described]
        owners = np.repeat(rows, [len(positions) for positions, _ in parts])
        positions = np.concatenate([positions for positions, _ in parts])
        levels.append(Described(owners, positions, np.concatenate([part for _, part in parts])))
    return levels, shrink_to_grey(images[rows[0]], WORKING_SIZE).shape


def describe_image(detail: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Describe the patches around one image's blobs.

    Args:
        detail: float32 (height, width), local contrast of a working copy.

    Returns:
        For every level: positions float32 (blobs, 2) and descriptors float32 (blobs, F, F) of
        unit length, with F = FREQUENCIES.
    """
    described = []
    for level in LEVELS:
        smooth, positions = _find_blobs(detail, level)
        side = 2 * level.radius + 1
        patches = np.empty((len(positions), side, side), np.float32)
        for patch, (row, column) in zip(patches, positions, strict=True):
            patch[...] = cv2.getRectSubPix(smooth, (side, side), (float(column), float(row)))
        basis = _cosine_basis(level.radius)
        centre = (basis[0] @ patches @ basis[0])[:, None, None]
        described.append((positions, _unit_length(basis @ (patches - centre) @ basis.T)))
    return described


def _find_blobs(detail: np.ndarray, level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed image and its strongest blobs' (y, x) to a part of a pixel."""
    smooth = cv2.GaussianBlur(detail, (0, 0), level.sigma)
    response = np.abs(smooth - cv2.GaussianBlur(detail, (0, 0), 1.6 * level.sigma))
    peak = (response == cv2.dilate(response, np.ones((3, 3), np.uint8))) & (response > 0.05)
    peak[[0, -1]] = False
    peak[:, [0, -1]] = False
    rows, columns = np.nonzero(peak)
    strongest = np.argsort(-response[rows, columns], kind="stable")[: level.blobs]
    rows, columns = rows[strongest], columns[strongest]
    positions = np.stack([rows, columns], axis=1).astype(np.float32)
    for axis, (step_down, step_right) in enumerate(((1, 0), (0, 1))):
        before = response[rows - step_down, columns - step_right]
        after = response[rows + step_down, columns + step_right]
        bend = np.minimum(before + after - 2 * response[rows, columns], -1e-6)
        positions[:, axis] += np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return smooth, positions


def _cosine_basis(radius: int) -> np.ndarray:
    """Return the first cosine functions over a patch, under a Gaussian window."""
    position = np.arange(2 * radius + 1)
    basis = np.cos(np.pi * np.arange(FREQUENCIES)[:, None] * (position + 0.5) / position.size)
    window = np.exp(-0.5 * np.square((position - radius) / (0.6 * radius)))
    return (basis * window / window.sum()).astype(np.float32)


def _unit_length(descriptors: np.ndarray) -> np.ndarray:
    length = np.sqrt(np.square(descriptors).sum(axis=(1, 2), keepdims=True))
    return descriptors / np.maximum(length, 1e-6)


def orient_descriptors(descriptors: np.ndarray, orientation: int) -> np.ndarray:
    """Return what the descriptors (n, F, F) are in the oriented image."""
    transpose, reverse_rows, reverse_columns = STEPS[orientation]
    if transpose:
        descriptors = np.swapaxes(descriptors, 1, 2)
    sign = np.where(np.arange(FREQUENCIES) % 2, -1, 1).astype(np.float32)
    if reverse_rows:
        descriptors = descriptors * sign[:, None]
    return descriptors * sign if reverse_columns else descriptors


def orient_positions(positions: np.ndarray, orientation: int, shape: tuple[int, int]) -> np.ndarray:
    """Return where positions (n, 2) of a (height, width) image are in the oriented image."""
    transpose, reverse_rows, reverse_columns = STEPS[orientation]
    height, width = shape
    if transpose:
        positions, height, width = positions[:, ::-1], width, height
    positions = positions.copy()
    if reverse_rows:
        positions[:, 0] = height - 1 - positions[:, 0]
    if reverse_columns:
        positions[:, 1] = width - 1 - positions[:, 1]
    return positions


def _whiten(descriptors: np.ndarray) -> np.ndarray:
    """Give every frequency the same weight, so that what all cells share counts less.

    The spread is made symmetric over the eight orientations; orienting a whitened descriptor is
    then the same as whitening an oriented one.
    """
    spread = np.square(descriptors).mean(axis=0)
    spread = (spread + spread.T) / 2
    # The floor: the highest frequencies of smooth cells are compression noise.
    return _unit_length(descriptors / np.sqrt(spread + 0.003 * spread.max() + 1e-12))


def _cosines(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the scalar products (n, m) of unit vectors (n, d) and (m, d)."""
    # OpenCV's product stays in its thread. NumPy's starts threads of its own in every worker,
    # which cost ten times the work on products this small.
    return cv2.gemm(first, second, 1, None, 0, flags=cv2.GEMM_2_T)


def _cell_centres(database: np.ndarray) -> np.ndarray:
    """Return about sqrt(n) k-means centres of unit length for descriptors (n, d)."""
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


def _search(
    level: Described, orientations: range, shape: tuple[int, int], workers: ThreadPoolExecutor
) -> Iterable[np.ndarray]:
    """Yield float64 (matches, 6): first, second, orientation, down, right (pixels), cosine."""
    if len(level.owners) < 2:
        return []
    whitened = _whiten(level.descriptors)
    database = np.ascontiguousarray(whitened.reshape(len(whitened), -1))
    centres = _cell_centres(database)
    starts = range(0, len(database), QUERIES_AT_ONCE)
    parts = [database[start : start + QUERIES_AT_ONCE] for start in starts]
    home = np.concatenate([np.argmax(_cosines(part, centres), axis=1) for part in parts])
    cells = _members(home, len(centres))
    probes = min(CELLS_PROBED, len(centres))

    def search(task: tuple[int, int]) -> np.ndarray:
        orientation, start = task
        queries = orient_descriptors(whitened[start : start + QUERIES_AT_ONCE], orientation)
        queries = np.ascontiguousarray(queries).reshape(len(queries), -1)
        near = np.argpartition(_cosines(queries, centres), -probes, axis=1)[:, -probes:]
        found = [np.zeros((0, 6))]
        for asked, entries in zip(_members(near, len(centres)), cells, strict=True):
            asking = asked // probes
            query, entry, cosine = _compare(queries[asking], database[entries])
            query, entry = asking[query] + start, entries[entry]
            ordered = level.owners[query] < level.owners[entry]
            query, entry, cosine = query[ordered], entry[ordered], cosine[ordered]
            placed = orient_positions(level.positions[query], orientation, shape)
            shift = level.positions[entry] - placed
            turn = np.full(len(query), orientation)
            found.append(
                np.column_stack([level.owners[query], level.owners[entry], turn, shift, cosine])
            )
        return np.concatenate(found)

    return workers.map(search, [(turn, start) for turn in orientations for start in starts])


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


def _count_votes(matches: np.ndarray, images: int, most: int) -> pd.DataFrame:
    """Add the matches that agree on pair, orientation and shift; keep each pair's best two."""
    pair = (matches[:, 0] * images + matches[:, 1]).astype(np.int64) * 8
    pair += matches[:, 2].astype(np.int64)
    votes = []
    # Two overlapping grids an axis, so that no agreement is cut by the border of a bin.
    for offset_down in (0.0, 0.5):
        for offset_right in (0.0, 0.5):
            down = np.floor(matches[:, 3] / SHIFT_STEP + offset_down).astype(np.int64) + 64
            right = np.floor(matches[:, 4] / SHIFT_STEP + offset_right).astype(np.int64) + 64
            _, where, back = np.unique(
                (pair * 128 + down) * 128 + right, return_index=True, return_inverse=True
            )
            weight = np.bincount(back, matches[:, 5])
            table = pd.DataFrame(matches[where, :3], columns=["first", "second", "orientation"])
            table = table.astype(np.int64)
            for name, column in (("down", 3), ("right", 4)):
                mean = np.bincount(back, matches[:, 5] * matches[:, column]) / weight
                table[name] = mean / WORKING_SIZE
            table["votes"] = weight
            votes.append(table[(weight >= MINIMUM_VOTE) | (weight >= MINIMUM_LONE_COSINE)])
    table = pd.concat(votes).sort_values("votes", ascending=False, kind="stable")
    table = table.drop_duplicates(["first", "second", "orientation"])
    table = table[table.groupby(["first", "second"]).cumcount() < 2]
    best = table.groupby("first").cumcount() < most
    return table[best | (table.groupby("second").cumcount() < most)].reset_index(drop=True)
