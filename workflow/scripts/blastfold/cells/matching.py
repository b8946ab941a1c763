"""Where a small picture is in a larger one: everywhere at a coarse scale, then near one place.

The measure is Pearson's correlation of grey levels over the window ("normalised
cross-correlation"; Lewis, Vision Interface 1995). At the coarse scale thousands of pieces are
compared with every window of a photograph at once: pieces and windows are projected on the common
principal components of the pieces, which keeps ``ENERGY`` of their variance.
"""

import cv2
import numpy as np

TEMPLATE = 20
"""Height and width of a coarse template, pixels of the shrunk picture."""

FACTORS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
"""By how much pictures are shrunk."""

ENERGY = 0.99
MOST_COMPONENTS = 64
LEAST_DEVIATION = 0.7
"""Grey levels; a coarse template or window that varies less has nothing to compare."""

BANDS = 3
"""How many places of one photograph are candidates."""

AT_ONCE = 1024
"""Templates that are compared at a time, which limits the memory."""

FINE_DETAIL, COARSE_DETAIL = 1.5, 8
"""Detail is what is coarser than this many pixels and finer than this part of the shorter side."""


def coarse_factor(height: int, width: int) -> int:
    """Return by how much a piece is shrunk so that a template is left of it.

    Args:
        height: Height of the piece, pixels, at least ``TEMPLATE``.
        width: Width of the piece, pixels, at least ``TEMPLATE``.
    """
    return max(factor for factor in FACTORS if min(height, width) // factor >= TEMPLATE)


def fine_factor(coarse: int) -> int:
    """Return the factor of the second look at a place that was found with a coarse factor."""
    return max(factor for factor in FACTORS if factor <= max(1, coarse // 3))


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of pixels, uint8; what is left at the end is cut off.

    A picture that is smaller than one square gives no pixel.
    """
    height, width = (length // factor for length in picture.shape[:2])
    whole = picture[: height * factor, : width * factor]
    if not whole.size:
        return whole
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)


def coarse_template(shrunk: np.ndarray) -> tuple[np.ndarray | None, int, int]:
    """Return the centre of a shrunk piece as a vector of mean 0 and length 1.

    Args:
        shrunk: uint8 (height, width), at least ``TEMPLATE`` each.

    Returns:
        float32 (``TEMPLATE`` ** 2,), None without texture; and its row and column in the piece.
    """
    top, left = ((length - TEMPLATE) // 2 for length in shrunk.shape)
    values = shrunk[top : top + TEMPLATE, left : left + TEMPLATE].astype(np.float32).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    if length < LEAST_DEVIATION * TEMPLATE:
        return None, top, left
    return values / length, top, left


class Bank:
    """Coarse templates that are compared with photographs together.

    Args:
        templates: float32 (n, ``TEMPLATE`` ** 2), as :func:`coarse_template` returns them.
    """

    def __init__(self, templates: np.ndarray):
        energies, vectors = np.linalg.eigh(templates.T @ templates)
        shares = np.cumsum(energies[::-1]) / max(energies.sum(), 1e-12)
        count = min(int(np.searchsorted(shares, ENERGY)) + 1, MOST_COMPONENTS, len(energies))
        self._basis = np.ascontiguousarray(vectors[:, ::-1][:, :count], np.float32)
        self._projected = np.ascontiguousarray((templates @ self._basis).T)

    def best_places(self, shrunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the best windows of every template.

        The picture is divided into bands of ``TEMPLATE`` rows of windows; each gives one window at
        most, so that a place that only looks similar does not hide another one.

        Args:
            shrunk: uint8 (height, width) of a photograph.

        Returns:
            Approximate correlations, (n, ``BANDS``), the highest first, -1 where the picture has
            fewer bands; and row and column of the windows, (n, ``BANDS``, 2).
        """
        count = self._projected.shape[1]
        scores = np.full((count, BANDS), -1, np.float32)
        places = np.zeros((count, BANDS, 2), np.int32)
        if min(shrunk.shape) < TEMPLATE:
            return scores, places
        windows = np.lib.stride_tricks.sliding_window_view(
            shrunk.astype(np.float32), (TEMPLATE, TEMPLATE)
        )
        width = windows.shape[1]
        for row in range(0, len(windows), TEMPLATE):
            projected = self._project(windows[row : row + TEMPLATE].reshape(-1, TEMPLATE**2))
            for first in range(0, count, AT_ONCE):
                group = slice(first, first + AT_ONCE)
                found = projected @ self._projected[:, group]
                best = found.argmax(axis=0)
                values = found[best, np.arange(len(best))]
                least = scores[group].argmin(axis=1)
                better = np.flatnonzero(values > scores[group].min(axis=1))
                scores[group][better, least[better]] = values[better]
                corners = np.stack([best // width + row, best % width], axis=1)
                places[group][better, least[better]] = corners[better]
        order = np.argsort(-scores, axis=1, kind="stable")
        return (
            np.take_along_axis(scores, order, axis=1),
            np.take_along_axis(places, order[..., None], axis=1),
        )

    def _project(self, block: np.ndarray) -> np.ndarray:
        """Return windows of mean 0 and length 1 as components; those without texture as 0."""
        block -= block.mean(axis=1, keepdims=True)
        length = np.sqrt(np.einsum("ij,ij->i", block, block))
        projected = block @ self._basis
        projected /= np.where(length < LEAST_DEVIATION * TEMPLATE, np.inf, length)[:, None]
        return projected


def best_near(
    picture: np.ndarray, piece: np.ndarray, top: int, left: int, reach: int
) -> tuple[float, int, int]:
    """Return the best place of a piece near a place.

    Args:
        picture: uint8 (height, width).
        piece: uint8 (height, width), not larger than the picture.
        top: Row of the piece's upper edge, about.
        left: Column of the piece's left edge, about.
        reach: How far to look in each direction, pixels.

    Returns:
        Correlation (-1 to 1; -1 without texture), row and column.
    """
    last = [whole - part for whole, part in zip(picture.shape, piece.shape, strict=True)]
    if min(last) < 0:
        return -1.0, 0, 0
    top, left = (min(max(at, 0), end) for at, end in zip((top, left), last, strict=True))
    rows = max(0, top - reach), min(last[0], top + reach)
    columns = max(0, left - reach), min(last[1], left + reach)
    window = picture[rows[0] : rows[1] + piece.shape[0], columns[0] : columns[1] + piece.shape[1]]
    scores = cv2.matchTemplate(window, piece, cv2.TM_CCOEFF_NORMED)
    # Windows of one colour have no correlation; OpenCV returns 1, infinity or nothing for them.
    scores[~np.isfinite(scores) | (np.abs(scores) > 1.001)] = -1
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    found_top, found_left = rows[0] + int(row), columns[0] + int(column)
    part = picture[found_top : found_top + piece.shape[0], found_left : found_left + piece.shape[1]]
    return correlation(part, piece), found_top, found_left


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation of two pictures of one shape; -1 where one has no variance."""
    one = first.astype(np.float32).ravel()
    other = second.astype(np.float32).ravel()
    one, other = one - one.mean(dtype=np.float64), other - other.mean(dtype=np.float64)
    product = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return float(one @ other) / product if product > 0 else -1.0


def detail(picture: np.ndarray, side: int) -> np.ndarray:
    """Return the part of a picture that shows cells: without noise and without uneven light.

    Args:
        picture: (height, width).
        side: The shorter side of what is compared, pixels.

    Returns:
        float32 (height, width).
    """
    values = picture.astype(np.float32)
    fine = min(FINE_DETAIL, side / 40)
    light = cv2.GaussianBlur(values, (0, 0), side / COARSE_DETAIL)
    return cv2.GaussianBlur(values, (0, 0), fine) - light


def detail_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of the detail of two pictures of one shape (see :func:`detail`)."""
    side = min(first.shape)
    return correlation(detail(first, side), detail(second, side))
