"""Boxes as networks return them, in the four usual forms, and boxes of one thing."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from blastfold.core.errors import InputError


class Raw(NamedTuple):
    """Boxes of a network.

    Attributes:
        boxes: float64 (n, 4): left, top, right and bottom as the network returns them; left, top,
            width and height in pixels of the picture after that.
        scores: float64 (n,).
        classes: int64 (n,).
    """

    boxes: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def where(self, kept: np.ndarray) -> "Raw":
        """Return the boxes of a mask, bool (n,)."""
        return Raw(self.boxes[kept], self.scores[kept], self.classes[kept])


def of_yolo8(outputs: Mapping[str, np.ndarray]) -> Raw:
    """Read (1, 4 + classes, n): middle, width and height, and one score per class."""
    values = _only(outputs, "yolo8", "one image of 4 + classes rows, one column per box")
    # A network has far more boxes than numbers of a box; the other way round it is transposed.
    if not 5 <= values.shape[0] <= values.shape[1]:
        raise _misfit("yolo8", "at least five rows, and more columns, one per box", values.shape)
    return _from_middles(values[:4].T, values[4:].T)


def of_yolo5(outputs: Mapping[str, np.ndarray]) -> Raw:
    """Read (1, n, 5 + classes): middle, width, height, score of any thing and of each class."""
    values = _only(outputs, "yolo5", "one image of rows with 5 + classes numbers")
    if not 6 <= values.shape[1] <= values.shape[0]:
        raise _misfit("yolo5", "at least six numbers per box, and more boxes", values.shape)
    return _from_middles(values[:, :4], values[:, 4:5] * values[:, 5:])


def of_rows(outputs: Mapping[str, np.ndarray]) -> Raw:
    """Read (1, n, 6): left, top, right, bottom, score and class."""
    values = _only(outputs, "rows", "one image of rows with 6 numbers")
    if values.shape[1] != 6:
        raise _misfit("rows", "six numbers per box", values.shape)
    return _raw(values[:, :4], values[:, 4], values[:, 5])


def of_lists(outputs: Mapping[str, np.ndarray]) -> Raw:
    """Read the outputs boxes (n, 4), scores (n,) and labels (n,), each with an axis of 1 or not."""
    absent = [name for name in ("boxes", "scores", "labels") if name not in outputs]
    if absent:
        raise InputError(
            f"detector.onnx.format: lists needs the outputs boxes, scores and labels; the file has "
            f"{', '.join(outputs)}. Rename them in the file, or choose another format."
        )
    boxes, scores, labels = (np.asarray(outputs[name]) for name in ("boxes", "scores", "labels"))
    if boxes.ndim == 3 and len(boxes) == 1:
        boxes, scores, labels = boxes[0], scores[0], labels[0]
    if boxes.shape != (len(boxes), 4) or not scores.shape == labels.shape == (len(boxes),):
        raise _misfit("lists", "(n, 4), (n,) and (n,)", (boxes.shape, scores.shape, labels.shape))
    return _raw(boxes, scores, labels)


FORMATS: dict[str, Callable[[Mapping[str, np.ndarray]], Raw]] = {
    "yolo8": of_yolo8,
    "yolo5": of_yolo5,
    "rows": of_rows,
    "lists": of_lists,
}
"""Readers by the names that the config has for them."""


def _only(outputs: Mapping[str, np.ndarray], name: str, expected: str) -> np.ndarray:
    """Return the first output of one image, (a, b)."""
    values = np.asarray(next(iter(outputs.values())), np.float64)
    if values.ndim != 3 or values.shape[0] != 1:
        raise _misfit(name, f"three axes: {expected}", values.shape)
    return values[0]


def _misfit(name: str, expected: str, found: tuple) -> InputError:
    return InputError(
        f"detector.onnx.format: received {name}, which has {expected}; the output of the file has "
        f"the shape {found}. Choose another format, or export the network in this one."
    )


def _from_middles(boxes: np.ndarray, scores: np.ndarray) -> Raw:
    """Return boxes given by middle, width and height, with the likeliest class of each."""
    halves = boxes[:, 2:] / 2
    corners = np.concatenate([boxes[:, :2] - halves, boxes[:, :2] + halves], axis=1)
    return _raw(corners, scores.max(axis=1), scores.argmax(axis=1))


def _raw(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray) -> Raw:
    return Raw(
        np.asarray(boxes, np.float64),
        np.asarray(scores, np.float64),
        np.nan_to_num(np.asarray(classes, np.float64), nan=-1).round().astype(np.int64),
    )


def suppress_overlaps(raw: Raw, kinds: np.ndarray, most: float) -> np.ndarray:
    """Return which boxes are kept when those of one thing are reduced to the most certain one.

    Args:
        raw: Boxes with left, top, width and height.
        kinds: (n,), boxes of different kinds do not exclude one another.
        most: Largest intersection over union of two boxes of different things.

    Returns:
        int64 (m,), the most certain first.
    """
    corners = np.concatenate([raw.boxes[:, :2], raw.boxes[:, :2] + raw.boxes[:, 2:]], axis=1)
    areas = np.prod(np.maximum(raw.boxes[:, 2:], 0), axis=1)
    waiting = np.argsort(-raw.scores, kind="stable")
    waiting = waiting[areas[waiting] > 0]
    kept = []
    while len(waiting):
        first, others = waiting[0], waiting[1:]
        kept.append(first)
        start = np.maximum(corners[first, :2], corners[others, :2])
        end = np.minimum(corners[first, 2:], corners[others, 2:])
        common = np.prod(np.maximum(end - start, 0), axis=1)
        union = areas[first] + areas[others] - common
        waiting = others[(common <= most * union) | (kinds[others] != kinds[first])]
    return np.array(kept, np.int64)
