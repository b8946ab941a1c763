"""A detector in an ONNX file: whatever the config declares of it is compared with the file.

A network sees a photograph as a whole, brought to the size of its input; or, where the diameter of
red cells in its input is declared, windows of that scale that overlap, so that slides can be
searched too.
"""

import math
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import cv2
import numpy as np

from blastfold.cells.box_formats import FORMATS, Raw, suppress_overlaps
from blastfold.cells.boxed_cells import Box
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, is_file
from blastfold.core.names import PLATELET
from blastfold.core.onnx_sessions import open_session, require_one_file

AXES = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}
"""Axes of channels, height and width, by layout."""

GREY = 114
"""Grey level around a picture that does not fill the input, as YOLO was trained with."""

OVERLAP = 3.0
"""Diameters of a red cell by which windows overlap; larger cells may be cut by both."""

AT_BORDER = 2.0
"""Pixels of the input; a box so close to the border of a window is a part of a cell that the next
window has whole."""


class Window(NamedTuple):
    """What of a picture is in the input of the network.

    Attributes:
        left: Pixels of the picture.
        top: Pixels.
        width: Pixels.
        height: Pixels.
        scale: Pixels of the input for one of the picture, across and down.
        shift: Pixels of the input that are left of and above the picture.
    """

    left: int
    top: int
    width: int
    height: int
    scale: tuple[float, float]
    shift: tuple[int, int]


class OnnxDetector:
    """A detector in an ONNX file.

    Args:
        path: The file.
        declared: What the schema calls ``onnx_detector``, with all defaults.

    Attributes:
        tiled: Whether it sees windows of one scale, so that slides can be searched.

    Raises:
        InputError: The file is another one, cannot be loaded, or is not as declared.
    """

    def __init__(self, path: str | os.PathLike, declared: Mapping):
        self.declared = declared
        self.tiled = declared["red_cell_diameter"] is not None
        self._path = path
        if not is_file(path):
            raise InputError(f"detector.onnx.file: {path} does not exist; expected the ONNX file.")
        if (found := digest_file(path)) != declared["sha256"]:
            raise InputError(
                f"detector.onnx.sha256: received {declared['sha256']}, but {path} has {found}. It "
                "is another file, or an incomplete copy; correct one of them."
            )
        require_one_file(path, "detector.onnx.file")
        try:
            self._session = open_session(path)
        except Exception as error:
            # ONNX Runtime raises errors of many kinds.
            raise InputError(
                f"detector.onnx.file: ONNX Runtime cannot load {path}: {error}"
            ) from error
        self._input = self._require_input()
        self._try()

    def __call__(self, picture: np.ndarray, diameter: float) -> list[Box]:
        """Return the boxes of a picture.

        Args:
            picture: uint8 (height, width, 3), RGB.
            diameter: Of its red cells, pixels.

        Raises:
            InputError: The network cannot run.
        """
        found = [self._boxes(picture, window) for window in self._windows(picture, diameter)]
        raw = Raw(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
        platelet = np.isin(raw.classes, self.declared["platelets"])
        kept = suppress_overlaps(raw, platelet, self.declared["most_overlap"])
        return [
            Box(*corners, PLATELET if is_platelet else "")
            for corners, is_platelet in zip(raw.boxes[kept].tolist(), platelet[kept], strict=True)
        ]

    def _boxes(self, picture: np.ndarray, window: Window) -> Raw:
        """Return the boxes of a window in pixels of the picture: left, top, width and height."""
        raw = self._run(self._prepared(picture, window))
        raw = raw.where(np.isin(raw.classes, self._wanted(raw.classes)))
        raw = raw.where(raw.scores >= self.declared["least_score"])
        corners = (raw.boxes - np.tile(window.shift, 2)) / np.tile(window.scale, 2)
        ends = np.array([window.width, window.height])
        near = AT_BORDER / min(window.scale)
        # Only borders within the picture cut a cell that another window has whole.
        cut = (corners[:, :2] < near) & (np.array([window.left, window.top]) > 0)
        beyond = np.array([window.left, window.top]) + ends < picture.shape[1::-1]
        cut |= (corners[:, 2:] > ends - near) & beyond
        corners = corners + np.tile([window.left, window.top], 2)
        corners[:, 2:] -= corners[:, :2]
        return raw._replace(boxes=corners).where(~cut.any(axis=1))

    def _wanted(self, classes: np.ndarray) -> list[int]:
        leukocytes, platelets = self.declared["leukocytes"], self.declared["platelets"]
        if leukocytes is None:
            return np.unique(classes).tolist()
        return [*leukocytes, *platelets]

    def _windows(self, picture: np.ndarray, diameter: float) -> Iterator[Window]:
        """Yield what of a picture the network sees at a time."""
        height, width = self.declared["size"]
        tall, wide = picture.shape[:2]
        if not self.tiled:
            across, down = width / wide, height / tall
            if self.declared["fit"] == "pad":
                across = down = min(across, down)
            used = max(1, round(wide * across)), max(1, round(tall * down))
            scale = used[0] / wide, used[1] / tall
            shift = (width - used[0]) // 2, (height - used[1]) // 2
            yield Window(0, 0, wide, tall, scale, shift)
            return
        scale = self.declared["red_cell_diameter"] / diameter
        sides = max(1, int(width / scale)), max(1, int(height / scale))
        for top in _starts(tall, sides[1], OVERLAP * diameter):
            for left in _starts(wide, sides[0], OVERLAP * diameter):
                size = min(sides[0], wide - left), min(sides[1], tall - top)
                yield Window(left, top, *size, (scale, scale), (0, 0))

    def _prepared(self, picture: np.ndarray, window: Window) -> np.ndarray:
        """Return a window as the network takes it, float32 (1, ...)."""
        height, width = self.declared["size"]
        part = picture[window.top :, window.left :][: window.height, : window.width]
        used = [
            min(room, max(1, round(side * scale)))
            for room, side, scale in zip(
                (width, height), part.shape[1::-1], window.scale, strict=True
            )
        ]
        how = cv2.INTER_AREA if window.scale[0] < 1 else cv2.INTER_LINEAR
        image = np.full((height, width, 3), GREY, np.uint8)
        right, down = window.shift
        image[down : down + used[1], right : right + used[0]] = cv2.resize(
            part, used, interpolation=how
        )
        return self._scaled(image)

    def _scaled(self, image: np.ndarray) -> np.ndarray:
        declared = self.declared
        values = image[..., ::-1] if declared["channels"] == "bgr" else image
        values = values.astype(np.float32) * np.float32(declared["scale"])
        values = (values - np.array(declared["mean"], np.float32)) / np.array(
            declared["std"], np.float32
        )
        if declared["layout"] == "nchw":
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None], np.float32)

    def _run(self, images: np.ndarray) -> Raw:
        declared = self.declared
        try:
            values = self._session.run(None, {self._input: images})
        except Exception as error:
            raise InputError(
                f"detector.onnx: {self._path} cannot run on an image of {declared['size'][0]}x"
                f"{declared['size'][1]} pixels in the layout {declared['layout']}: {error}"
            ) from error
        names = [entry.name for entry in self._session.get_outputs()]
        raw = FORMATS[declared["format"]](dict(zip(names, values, strict=True)))
        if declared["unit"] == "share":
            height, width = declared["size"]
            raw = raw._replace(boxes=raw.boxes * np.array([width, height, width, height]))
        return raw.where(np.isfinite(raw.boxes).all(axis=1) & np.isfinite(raw.scores))

    def _require_input(self) -> str:
        """Return the name of the input, which takes images as declared."""
        inputs, declared = self._session.get_inputs(), self.declared
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise InputError(
                f"detector.onnx.file: {self._path} has the inputs {names}, expected one, the image."
            )
        [given] = inputs
        if given.type != "tensor(float)" or len(given.shape) != 4:
            raise InputError(
                f"detector.onnx.file: the input of {self._path} is {given.type} of shape "
                f"{given.shape}, expected float32 of four axes: images, and the three of the "
                "layout."
            )
        wanted = dict(zip(AXES[declared["layout"]], (3, *declared["size"]), strict=True))
        for axis, number in {0: 1, **wanted}.items():
            if isinstance(given.shape[axis], int) and given.shape[axis] != number:
                raise InputError(
                    f"detector.onnx: by the layout {declared['layout']} and the size "
                    f"{list(declared['size'])}, axis {axis} of the image has {number}; but "
                    f"{self._path} takes {given.shape}. Correct detector.onnx.layout or size."
                )
        return given.name

    def _try(self) -> None:
        """Run the file on a grey image, so that a wrong declaration is known before photographs.

        Raises:
            InputError: It cannot run, or its outputs do not have the declared format.
        """
        self._run(self._scaled(np.full((*self.declared["size"], 3), GREY, np.uint8)))


def _starts(length: int, side: int, overlap: float) -> list[int]:
    """Return where windows of a side start that cover a length and overlap by so much."""
    step = max(side / 2, side - overlap)
    number = 1 + math.ceil(max(0, length - side) / step)
    return np.unique(np.linspace(0, max(0, length - side), number).astype(int)).tolist()
