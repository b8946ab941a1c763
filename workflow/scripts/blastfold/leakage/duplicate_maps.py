"""Maps of the plane on which the matching blobs of two images agree.

One match of two blobs gives a map: their positions, sizes and directions fix shift, scale and
angle, and whether one image is mirrored is known. Other matches of the same images that this
map explains are votes for it (Lowe 2004, section 7). The best map of a pair is fitted to all its
votes as an affine one, because a crop that is stretched to a square scales both axes differently.
"""

import itertools
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from blastfold.leakage.duplicate_features import Features

MAP = ["m00", "m01", "m02", "m10", "m11", "m12"]
COLUMNS = ["first", "second", "votes", *MAP]

# Two agreeing matches, or a single one this close, make a candidate.
MINIMUM_LONE_COSINE = 0.97
# The most matches of one pair of images that vote.
MOST_VOTERS = 24
# How far a vote may be from where the map expects it: share of the longer side, and share of the
# distance between the two blobs.
NEAR, NEAR_PER_DISTANCE = 0.03, 0.15
LARGEST_ANGLE = np.deg2rad(30)
LARGEST_RATIO = 1.45
SMALLEST_SCALE, LARGEST_SCALE = 0.55, 1.8
# A blob's size and direction count as two more points at this multiple of its size.
ARM, ARM_WEIGHT = 2.0, 0.1
PAIRS_AT_ONCE = 200_000


class Matches(NamedTuple):
    """Matching blobs: query and entry int32 (n,), cosine float32 (n,), mirrored bool (n,)."""

    query: np.ndarray
    entry: np.ndarray
    cosine: np.ndarray
    mirrored: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Return no matches."""
        empty = np.zeros(0, np.int32)
        return cls(empty, empty, empty.astype(np.float32), empty.astype(bool))

    def take(self, which: np.ndarray) -> Self:
        """Return some of the matches, in this order."""
        return type(self)(*(column[which] for column in self))


def find_maps(matches: Matches, features: Features) -> pd.DataFrame:
    """Find the map of every pair of images on which two or more matches agree.

    Args:
        matches: Query and entry are rows of the features; the query's image comes first.
        features: The described blobs.

    Returns:
        One row per pair, best first: first, second (positions of the images), votes (sum of
        cosines), and the affine map that takes (x, y) of the first image to
        (m00 x + m01 y + m02, m10 x + m11 y + m12) of the second, in shares of the longer side.
    """
    matches, starts = _by_pair(matches, features.owners)
    tables = [pd.DataFrame(columns=COLUMNS).astype(float)]
    for low, high in _chunks(starts, len(matches.query)):
        part = matches.take(np.arange(low, high))
        tables.append(_maps_of(part, features))
    table = pd.concat(tables).astype({"first": np.int64, "second": np.int64})
    table = table.sort_values("votes", ascending=False, kind="stable")
    # One map a pair: the mirrored or the unmirrored one.
    return table.drop_duplicates(["first", "second"], ignore_index=True)


def _by_pair(matches: Matches, owners: np.ndarray) -> tuple[Matches, np.ndarray]:
    """Sort matches by pair and mirror, the closest first; drop lone ones and keep the best.

    Returns:
        The matches and the positions at which a new pair begins.
    """
    key = _pair_key(matches, owners)
    order = np.lexsort((-matches.cosine, key))
    key = key[order]
    new = np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)])
    size = np.diff(np.r_[new, len(key)])
    rank = np.arange(len(key)) - np.repeat(new, size)
    cosine = matches.cosine[order]
    kept = (rank < MOST_VOTERS) & ((np.repeat(size, size) > 1) | (cosine >= MINIMUM_LONE_COSINE))
    key = key[kept]
    return (
        matches.take(order[kept]),
        np.flatnonzero(np.r_[True, key[1:] != key[:-1]][: len(key)]),
    )


def _pair_key(matches: Matches, owners: np.ndarray) -> np.ndarray:
    first, second = owners[matches.query].astype(np.int64), owners[matches.entry].astype(np.int64)
    images = int(owners[-1]) + 1 if len(owners) else 1
    return (first * images + second) * 2 + matches.mirrored


def _chunks(starts: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Cut the matches between pairs into pieces of bounded size."""
    edges = [*starts[:: max(1, PAIRS_AT_ONCE // MOST_VOTERS)], count]
    return [(int(low), int(high)) for low, high in itertools.pairwise(edges)]


def _maps_of(matches: Matches, features: Features) -> pd.DataFrame:
    """Return the best map of every pair and mirror among these matches."""
    key = _pair_key(matches, features.owners)
    new = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
    size = np.diff(np.r_[new, len(key)])
    pair = np.repeat(np.arange(len(new)), size)
    here, there = features.frames[matches.query], features.frames[matches.entry]
    # A mirrored first image is a first image whose x has changed its sign.
    here = np.where(matches.mirrored[:, None], _flip(here), here)
    # Every match (seed) with every match of its pair (voter).
    seed = np.repeat(np.arange(len(key)), size[pair])
    place = np.arange(len(seed)) - np.repeat(np.cumsum(size[pair]) - size[pair], size[pair])
    voter = new[pair[seed]] + place
    agrees = _agree(here, there, seed, voter)
    support = np.bincount(seed, matches.cosine[voter] * agrees, len(key))
    best = np.lexsort((-support, pair))[new]
    chosen = np.isin(seed, best) & agrees
    voters, of_pair = voter[chosen], pair[voter[chosen]]
    fitted = _fit(here[voters], there[voters], of_pair, len(new))
    flip = np.where(matches.mirrored[new], -1.0, 1.0)
    fitted[:, :, 0] *= flip[:, None]
    counts = np.bincount(of_pair, minlength=len(new))
    cosine = matches.cosine[best]
    kept = ((counts > 1) | (cosine >= MINIMUM_LONE_COSINE)) & _is_plausible(fitted)
    first, second = features.owners[matches.query[new]], features.owners[matches.entry[new]]
    table = pd.DataFrame(fitted.reshape(-1, 6), columns=MAP)
    table.insert(0, "first", first)
    table.insert(1, "second", second)
    table.insert(2, "votes", support[best])
    return table[kept]


def _flip(frames: np.ndarray) -> np.ndarray:
    return np.stack([-frames[:, 0], frames[:, 1], frames[:, 2], np.pi - frames[:, 3]], axis=1)


def _agree(here: np.ndarray, there: np.ndarray, seed: np.ndarray, voter: np.ndarray) -> np.ndarray:
    """Return whether the voters' frames are where the maps of their seeds expect them."""
    ratio = there[:, 2] / here[:, 2]
    turn = there[:, 3] - here[:, 3]
    scale, angle = ratio[seed], turn[seed]
    step = here[voter, :2] - here[seed, :2]
    distance = np.hypot(step[:, 0], step[:, 1])
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    expected = np.stack(
        [cosine * step[:, 0] - sine * step[:, 1], sine * step[:, 0] + cosine * step[:, 1]], axis=1
    )
    error = expected - (there[voter, :2] - there[seed, :2])
    near = np.hypot(error[:, 0], error[:, 1]) < NEAR + NEAR_PER_DISTANCE * distance
    difference = np.abs((turn[voter] - angle + np.pi) % (2 * np.pi) - np.pi)
    alike = np.abs(np.log(ratio[voter] / scale)) < np.log(LARGEST_RATIO)
    return near & (difference < LARGEST_ANGLE) & alike


def _fit(here: np.ndarray, there: np.ndarray, pair: np.ndarray, pairs: int) -> np.ndarray:
    """Fit an affine map to the frames of every pair by weighted least squares.

    Returns:
        float64 (pairs, 2, 3).
    """
    sources, targets, weights = [], [], []
    for angle, weight in ((None, 1.0), (0.0, ARM_WEIGHT), (np.pi / 2, ARM_WEIGHT)):
        for frames, points in ((here, sources), (there, targets)):
            point = frames[:, :2].astype(np.float64)
            if angle is not None:
                direction = frames[:, 3] + angle
                arm = ARM * frames[:, 2:3] * np.stack([np.cos(direction), np.sin(direction)], 1)
                point = point + arm
            points.append(point)
        weights.append(np.full(len(here), weight))
    source = np.concatenate(sources)
    source = np.column_stack([source, np.ones(len(source))])
    target, weight, pair = np.concatenate(targets), np.concatenate(weights), np.tile(pair, 3)
    normal = np.empty((pairs, 3, 3))
    right = np.empty((pairs, 3, 2))
    for row in range(3):
        for column in range(3):
            product = weight * source[:, row] * source[:, column]
            normal[:, row, column] = np.bincount(pair, product, pairs)
        for column in range(2):
            product = weight * source[:, row] * target[:, column]
            right[:, row, column] = np.bincount(pair, product, pairs)
    return np.linalg.solve(normal + 1e-9 * np.eye(3), right).transpose(0, 2, 1)


def _is_plausible(maps: np.ndarray) -> np.ndarray:
    """Return whether both scales of each map (n, 2, 3) are within bounds."""
    scales = np.linalg.svd(maps[:, :, :2], compute_uv=False)
    return (scales[:, 1] > SMALLEST_SCALE) & (scales[:, 0] < LARGEST_SCALE)
