"""Nuclei in a map of purple: touching ones are split, the lobes of one nucleus kept together.

The map has the scale at which a red cell is ``RED_CELL`` pixels wide. All lengths and areas here
are in diameters and areas of a red cell, so that they hold for every photograph.
"""

import heapq
import math
from typing import NamedTuple

import cv2
import numpy as np

RED_CELL = 32
"""Pixels; diameter of a red cell at the scale at which nuclei are looked for."""

AREA = math.pi / 4 * RED_CELL**2
"""Pixels; area of a red cell."""

LEAST_PART = 0.02
"""Areas; smaller parts are noise."""

LARGEST_HOLE = 0.03
"""Areas; holes of nuclei up to this size are filled. Larger ones may be gaps between cells."""

SPLIT_FROM = 0.4
"""Areas; smaller components are not split."""

LEAST_RADIUS = 0.1
"""Diameters; a thinner place is not the middle of a part."""

NECK = 0.72
"""Two parts are one where their neck is wider than this share of the narrower part."""

GAP, BODY_GAP = 0.35, 0.6
"""Diameters; lobes of one nucleus are not further apart, the second number where they are in one
cell body without a neck."""

SPAN, WIDEST_SPAN = 1.5, 2.5
"""Diameters; lobes that are close and fit in a circle of the first size are one nucleus. Up to the
second size they are, if they are in one cell body without a neck."""

BODY, BODY_SHARE = 0.12, 0.25
"""Least purple of the body of a cell, also as a share of the threshold of its nucleus."""

LARGEST_BODY_HOLE = 0.25
"""Areas; holes of a body up to this size are filled."""

BODY_OPENING = 5
"""Pixels; what is thinner is no body but the rim of a red cell."""

WHOLE = 1.6
"""Areas; two parts so large are not lobes of one nucleus but two nuclei that touch."""

FRAGMENT, FRAGMENT_GAP = 0.12, 0.12
"""Areas and diameters; a part so small and so close to a nucleus belongs to it."""


class Part(NamedTuple):
    """A connected piece of nucleus.

    Attributes:
        top: Row of its mask's upper left corner.
        left: Column of it.
        mask: uint8 (height, width), 1 inside.
        area: Pixels.
        outline: int32 (n, 2), x and y of the pixels of its edge, in the whole map.
        body: Number of the cell body that it is in.
    """

    top: int
    left: int
    mask: np.ndarray
    area: int
    outline: np.ndarray
    body: int = 0


def find_nuclei(purple: np.ndarray, threshold: float) -> tuple[list[list[Part]], np.ndarray]:
    """Find nuclei.

    Args:
        purple: float32 (height, width), at the scale of ``RED_CELL``.
        threshold: Purple of the palest pixel of a nucleus.

    Returns:
        The parts of every nucleus; and int32 (height, width), the number of the cell body of each
        pixel, 0 outside.
    """
    mask = nucleus_mask(purple, threshold)
    bodies = find_bodies(purple, threshold, mask)
    return group_parts([_in_body(part, bodies) for part in find_parts(mask)]), bodies


def nucleus_mask(purple: np.ndarray, threshold: float) -> np.ndarray:
    """Return what is purple enough for a nucleus, small holes filled; uint8 (height, width)."""
    mask = (purple > threshold).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    fill_holes(mask, LARGEST_HOLE * AREA)
    return mask


def body_mask(purple: np.ndarray, threshold: float, nuclei: np.ndarray) -> np.ndarray:
    """Return nuclei and the paler purple around them; uint8 (height, width)."""
    mask = (purple > max(BODY, BODY_SHARE * threshold)).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BODY_OPENING, BODY_OPENING))
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel) | nuclei


def find_bodies(purple: np.ndarray, threshold: float, nuclei: np.ndarray) -> np.ndarray:
    """Find the bodies of cells: nuclei and the paler purple around them, split at narrow necks.

    Args:
        purple: See :func:`find_nuclei`.
        threshold: See :func:`find_nuclei`.
        nuclei: uint8 (height, width), 1 in nuclei.

    Returns:
        int32 (height, width): 0 outside, then 1, 2 ... in the bodies.
    """
    mask = body_mask(purple, threshold, nuclei)
    fill_holes(mask, LARGEST_BODY_HOLE * AREA)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    bodies = np.zeros(mask.shape, np.int32)
    count = 0
    for number in np.unique(labels[nuclei > 0]).tolist():
        left, top, width, height, _ = stats[number].tolist()
        window = slice(top, top + height), slice(left, left + width)
        basins = split((labels[window] == number).astype(np.uint8))
        bodies[window] += np.where(basins > 0, basins + count, 0)
        count += int(basins.max())
    return bodies


def _in_body(part: Part, bodies: np.ndarray) -> Part:
    height, width = part.mask.shape
    inside = bodies[part.top : part.top + height, part.left : part.left + width][part.mask > 0]
    return part._replace(body=int(np.bincount(inside).argmax()))


def fill_holes(mask: np.ndarray, largest: float) -> None:
    """Fill the holes of a mask that have at most so many pixels."""
    outlines, levels = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for outline, level in zip(outlines, levels[0] if outlines else (), strict=True):
        if level[3] >= 0 and cv2.contourArea(outline) <= largest:
            cv2.drawContours(mask, [outline], -1, 1, -1)


def find_parts(mask: np.ndarray) -> list[Part]:
    """Return the components of a mask, those with narrow necks split.

    Args:
        mask: uint8 (height, width), 1 inside.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    parts = []
    for number, (left, top, width, height, area) in enumerate(stats.tolist()):
        if number == 0 or area < LEAST_PART * AREA:
            continue
        piece = labels[top : top + height, left : left + width] == number
        if area < SPLIT_FROM * AREA:
            parts.append(make_part(piece.astype(np.uint8), top, left))
            continue
        basins = split(piece.astype(np.uint8))
        for basin in range(1, int(basins.max()) + 1):
            inside = (basins == basin).astype(np.uint8)
            if np.count_nonzero(inside) >= LEAST_PART * AREA:
                parts.append(make_part(inside, top, left))
    return parts


def make_part(mask: np.ndarray, top: int, left: int) -> Part:
    """Return a mask, uint8 (height, width), as a part with its upper left corner there."""
    outlines, _ = cv2.findContours(
        mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(left, top)
    )
    outline = np.concatenate(outlines)[:, 0]
    return Part(top, left, mask, int(np.count_nonzero(mask)), outline)


def split(mask: np.ndarray) -> np.ndarray:
    """Split a component at its narrow necks.

    Args:
        mask: uint8 (height, width), 1 inside.

    Returns:
        int (height, width): 0 outside, then 1, 2 ... in the parts.
    """
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance, (0, 0), 1.0) * padded
    basins = climb(distance)
    basins[padded == 0] = 0
    _, names = np.unique(basins, return_inverse=True)
    return _rejoin(names.reshape(basins.shape)[1:-1, 1:-1], distance[1:-1, 1:-1])


def climb(heights: np.ndarray) -> np.ndarray:
    """Divide a map among its hills: from every pixel go to the highest neighbour until the top.

    Args:
        heights: float32 (height, width), with a border of lowest pixels.

    Returns:
        int (height, width): number of the pixel at the top, from 1.
    """
    rows, columns = heights.shape
    around = cv2.copyMakeBorder(heights, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=-1.0)
    # The pixel itself comes first, so that a plateau is a top.
    steps = [(0, 0)] + [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    best = around[1:-1, 1:-1].copy()
    target = np.arange(rows * columns).reshape(rows, columns)
    own = target.copy()
    for down, right in steps[1:]:
        neighbour = around[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]
        higher = neighbour > best
        best[higher] = neighbour[higher]
        target[higher] = own[higher] + down * columns + right
    target = target.ravel()
    while True:
        further = target[target]
        if np.array_equal(further, target):
            return target.reshape(rows, columns) + 1
        target = further


def _rejoin(basins: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Join basins whose neck is nearly as wide as they are, the widest necks first."""
    count = int(basins.max()) + 1
    peaks = np.zeros(count)
    np.maximum.at(peaks, basins.ravel(), distance.ravel())
    necks: dict[tuple[int, int], float] = {}
    for one, other, a, b in (
        (basins[1:], basins[:-1], distance[1:], distance[:-1]),
        (basins[:, 1:], basins[:, :-1], distance[:, 1:], distance[:, :-1]),
    ):
        border = (one != other) & (one > 0) & (other > 0)
        low, high = np.minimum(one, other)[border], np.maximum(one, other)[border]
        for pair, width in zip(
            zip(low.tolist(), high.tolist(), strict=True),
            np.minimum(a, b)[border].tolist(),
            strict=True,
        ):
            necks[pair] = max(width, necks.get(pair, 0.0))
    root = list(range(count))

    def find(basin: int) -> int:
        while root[basin] != basin:
            basin = root[basin]
        return basin

    for (low, high), width in sorted(necks.items(), key=lambda neck: -neck[1]):
        first, second = find(low), find(high)
        lower = min(peaks[first], peaks[second])
        if first != second and (width >= NECK * lower or lower < LEAST_RADIUS * RED_CELL):
            root[second] = first
            peaks[first] = max(peaks[first], peaks[second])
    names = {0: 0}
    for basin in range(1, count):
        names.setdefault(find(basin), len(names))
    return np.array([names[find(basin)] for basin in range(count)])[basins]


class _Group:
    def __init__(self, parts: list[Part]):
        self.parts = parts
        self.area = sum(part.area for part in parts)
        self.bodies = {part.body for part in parts}
        self.hull = cv2.convexHull(np.concatenate([part.outline for part in parts]))
        self.span = 2 * cv2.minEnclosingCircle(self.hull)[1]


def group_parts(parts: list[Part]) -> list[list[Part]]:
    """Take the lobes of one nucleus together: those that are close and fit in one cell.

    Args:
        parts: See :func:`find_parts`.

    Returns:
        The parts of every nucleus.
    """
    groups: dict[int, _Group] = {number: _Group([part]) for number, part in enumerate(parts)}
    gaps = _gaps(parts)
    near: dict[int, dict[int, float]] = {number: {} for number in groups}
    for (one, other), gap in gaps.items():
        near[one][other] = near[other][one] = gap
    waiting: list[tuple[float, int, int]] = []

    def propose(one: int, other: int, gap: float) -> None:
        first, second = groups[one], groups[other]
        small = min(first.area, second.area) < FRAGMENT * AREA
        together = _Group(first.parts + second.parts)
        if min(first.area, second.area) >= WHOLE * AREA:
            return
        one_body = len(together.bodies) == 1
        if gap > (BODY_GAP if one_body else GAP) * RED_CELL:
            return
        widest = (WIDEST_SPAN if one_body else SPAN) * RED_CELL
        if together.span <= widest or (small and gap <= FRAGMENT_GAP * RED_CELL):
            heapq.heappush(waiting, (together.span + gap, one, other))

    for (one, other), gap in gaps.items():
        propose(one, other, gap)
    following = len(parts)
    while waiting:
        _, one, other = heapq.heappop(waiting)
        if one not in groups or other not in groups:
            continue
        groups[following] = _Group(groups.pop(one).parts + groups.pop(other).parts)
        neighbours = near.pop(one) | {}
        for number, gap in near.pop(other).items():
            neighbours[number] = min(gap, neighbours.get(number, math.inf))
        near[following] = {n: gap for n, gap in neighbours.items() if n in groups}
        for number, gap in near[following].items():
            near[number][following] = gap
            propose(number, following, gap)
        following += 1
    return [group.parts for group in groups.values()]


def _gaps(parts: list[Part]) -> dict[tuple[int, int], float]:
    """Return the distances of parts that are close, pixels."""
    reach = max(GAP, BODY_GAP) * RED_CELL
    corners = np.array(
        [[*part.outline.min(axis=0), *part.outline.max(axis=0)] for part in parts], float
    ).reshape(-1, 4)
    gaps = {}
    for one in range(len(parts)):
        apart = np.maximum(
            corners[one + 1 :, :2] - corners[one, 2:], corners[one, :2] - corners[one + 1 :, 2:]
        )
        for other in (np.flatnonzero((apart <= reach).all(axis=1)) + one + 1).tolist():
            a, b = parts[one].outline.astype(np.float32), parts[other].outline.astype(np.float32)
            squares = ((a[:, None] - b[None]) ** 2).sum(axis=2)
            gap = math.sqrt(float(squares.min()))
            if gap <= reach:
                gaps[one, other] = gap
    return gaps
