"""Read many boxes of a level: every segment is decoded once, in threads, with little memory."""

import collections
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from blastfold.slides.reading import Level

MEMORY = 2**28
"""Bytes of decoded segments that may wait for the boxes of the next row."""

BATCH = 2**21
"""Bytes of boxes that a thread reads at a time: handing over costs as much as a small box."""

BATCHES_AHEAD = 4
"""Batches for each thread that may wait, so that a busy taker does not stop the threads."""

WHITE = 255

Key = tuple[int, int]
"""Row and column of a segment."""

logger = logging.getLogger(__name__)


def stream_boxes(
    level: Level,
    boxes: np.ndarray,
    finish: Callable[[np.ndarray], Any],
    threads: int = 1,
    fill_damaged: bool = False,
) -> Iterator[tuple[int, Any]]:
    """Read boxes of a level and apply a function to each, in several threads.

    Args:
        level: The level.
        boxes: int (n, 4): x, y, width, height in pixels of the level. What lies beyond the level
            is white.
        finish: Called in a thread with uint8 (height, width, 3); the array may be a segment's
            own and must not be changed.
        threads: Threads that decode.
        fill_damaged: Leaves white what is damaged, instead of giving up the whole box.

    Yields:
        Number of the box and what ``finish`` returned; None when a segment under the box is
        damaged, or with ``fill_damaged`` all are. In the order of :func:`reading_order`.
    """
    spans = _spans(level, boxes)
    largest = 3 * int(np.prod(boxes[:, 2:], axis=1).max(initial=1))
    together = max(1, BATCH // largest)
    with ThreadPoolExecutor(max(1, threads)) as pool:
        segments = _Segments(level, pool, spans, fill_damaged)

        def read(batch: list[list[int]], keys: list[list[Key]]) -> list:
            return [
                segments.read(*box, under, finish) for box, under in zip(batch, keys, strict=True)
            ]

        waiting: collections.deque[tuple[list[int], list[list[Key]], Future]] = collections.deque()

        def take() -> Iterator[tuple[int, Any]]:
            numbers, keys, future = waiting.popleft()
            results = future.result()
            for under in keys:
                segments.release(under)
            yield from zip(numbers, results, strict=True)

        try:
            order = reading_order(level, boxes)
            for start in range(0, len(order), together):
                numbers = order[start : start + together]
                keys = [_keys(*span) for span in spans[numbers].tolist()]
                for under in keys:
                    segments.ask_for(under)
                future = pool.submit(read, boxes[numbers].tolist(), keys)
                waiting.append((numbers.tolist(), keys, future))
                if len(waiting) > BATCHES_AHEAD * max(1, threads):
                    yield from take()
            while waiting:
                yield from take()
        finally:
            for *_, future in waiting:
                future.cancel()


def reading_order(level: Level, boxes: np.ndarray) -> np.ndarray:
    """Order boxes row by row, within columns so narrow that a row of segments fits in memory.

    Args:
        level: The level that they are read from.
        boxes: int (n, 4): x, y, width, height.

    Returns:
        int (n,): numbers of the boxes; for all but very wide slides in scan order.
    """
    if not len(boxes):
        return np.zeros(0, dtype=np.int64)
    row_height = level.segment_height + int(boxes[:, 3].max())
    column_width = max(1, MEMORY // (3 * row_height))
    return np.lexsort((boxes[:, 0], boxes[:, 1], boxes[:, 0] // column_width))


def _spans(level: Level, boxes: np.ndarray) -> np.ndarray:
    """First and last + 1 row and column of the segments that each box touches, int (n, 4)."""
    x, y, width, height = np.asarray(boxes, dtype=np.int64).reshape(-1, 4).T
    right, bottom = np.minimum(x + width, level.width), np.minimum(y + height, level.height)
    return np.column_stack(
        [
            np.maximum(y, 0) // level.segment_height,
            -(-bottom // level.segment_height),
            np.maximum(x, 0) // level.segment_width,
            -(-right // level.segment_width),
        ]
    )


def _keys(top: int, bottom: int, left: int, right: int) -> list[Key]:
    return [(row, column) for row in range(top, bottom) for column in range(left, right)]


class _Segments:
    """Segments that several boxes share: decoded for the first, dropped after the last."""

    def __init__(
        self, level: Level, pool: ThreadPoolExecutor, spans: np.ndarray, fill_damaged: bool
    ):
        self._level = level
        self._pool = pool
        self._too_many = all if fill_damaged else any
        self._uses = _count_uses(spans)
        self._shared: dict[Key, Future] = {}
        self._damaged: set[Key] = set()
        self._lock = threading.Lock()

    def ask_for(self, keys: list[Key]) -> None:
        """Start to decode what several boxes need; so it never waits for its own reader."""
        for key in keys:
            if self._uses[key] > 1 and key not in self._shared:
                self._shared[key] = self._pool.submit(self._decode, key)

    def release(self, keys: list[Key]) -> None:
        """Forget the segments that this box was the last to need."""
        for key in keys:
            self._uses[key] -= 1
            if self._uses[key] == 0:
                self._shared.pop(key, None)

    def read(
        self, x: int, y: int, width: int, height: int, keys: list[Key], finish: Callable
    ) -> Any:
        """Put a box together and finish it; None when too many of its segments are damaged."""
        parts = [
            self._shared[key].result() if key in self._shared else self._decode(key) for key in keys
        ]
        if self._too_many(part is None for part in parts):
            return None
        corners = [
            (row * self._level.segment_height - y, column * self._level.segment_width - x)
            for row, column in keys
        ]
        if corners == [(0, 0)] and parts[0].shape == (height, width, 3):
            return finish(parts[0])
        image = np.full((height, width, 3), WHITE, dtype=np.uint8)
        for (top, left), part in zip(corners, parts, strict=True):
            if part is not None:
                _paste(image, part, top, left)
        return finish(image)

    def _decode(self, key: Key) -> np.ndarray | None:
        try:
            return self._level.decode(*key)
        except Exception as error:
            # Codecs raise nearly any exception for damaged data.
            with self._lock:
                if key not in self._damaged:
                    self._damaged.add(key)
                    logger.warning("the segment in row %d, column %d is damaged: %s", *key, error)
            return None


def _count_uses(spans: np.ndarray) -> np.ndarray:
    """Count how many boxes touch each segment, int (rows, columns)."""
    rows, columns = (int(spans[:, place].max(initial=0)) for place in (1, 3))
    change = np.zeros((rows + 1, columns + 1), dtype=np.int64)
    for row, column, sign in ((0, 2, 1), (1, 3, 1), (0, 3, -1), (1, 2, -1)):
        np.add.at(change, (spans[:, row], spans[:, column]), sign)
    return change.cumsum(axis=0).cumsum(axis=1)


def _paste(image: np.ndarray, part: np.ndarray, top: int, left: int) -> None:
    down = slice(max(0, top), min(image.shape[0], top + part.shape[0]))
    across = slice(max(0, left), min(image.shape[1], left + part.shape[1]))
    image[down, across] = part[
        down.start - top : down.stop - top, across.start - left : across.stop - left
    ]
