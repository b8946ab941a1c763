"""A gallery of cells for a page without a network: one JSON object and sheets of small pictures.

The component is ``workflow/page/gallery.*``: its script filters, sorts and draws what is in view. A
sheet is a JPEG picture of many tiles, from the left to the right and from the top down. The
picture of cell i is tile i; further tiles may follow, for instance attribution maps. Sheets are in
the page as text, or files next to it.

Where a gallery has :class:`Marks`, a reader can give cells another label and download them as a
sheet of positions, which data sets of the format ``photographs`` accept.
"""

import base64
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field

import cv2
import numpy as np

from blastfold.core.errors import BlastfoldError
from blastfold.core.names import THRESHOLD

SHEET_COLUMNS, SHEET_ROWS = 16, 16
"""Tiles of a sheet: few enough for a sheet to be decoded in milliseconds."""

SIDES = ((3_000, 96), (15_000, 64), (None, 48))
"""Side of a tile in pixels by the largest number of tiles. All are multiples of 8, so that no block
of a JPEG picture belongs to two tiles. 10,000 tiles of 64 pixels take about 20 MB as text."""

QUALITY = 85
"""JPEG quality; colours keep their full resolution, since they carry the stain."""

DIGITS = 4
"""Decimals of a probability in the gallery."""

UNKNOWN = -1
"""The code of a value that is not known, the label of a cell without a class, and no tile."""

PADDING = 255
"""Intensity around a picture that is not square."""


@dataclass(frozen=True)
class Column:
    """A property of all cells that has few values, such as the subject.

    Attributes:
        key: Name; ``class`` is shown below each picture.
        title: Heading.
        values: Its values as text, n_values.
        codes: For each cell the index of its value, or :data:`UNKNOWN`.
        filter: Whether the gallery can be filtered by it.
    """

    key: str
    title: str
    values: Sequence[str]
    codes: Sequence[int]
    filter: bool = True

    @classmethod
    def of(cls, key: str, title: str, texts: Iterable[str], filter: bool = True) -> "Column":
        """Return the column of one text per cell; an empty text is an unknown value."""
        texts = list(texts)
        values = list(dict.fromkeys(text for text in texts if text))
        code_of = {value: code for code, value in enumerate(values)} | {"": UNKNOWN}
        return cls(key, title, values, [code_of[text] for text in texts], filter)


@dataclass(frozen=True)
class Measure:
    """A number of every cell by which the gallery can be sorted, the largest first.

    Attributes:
        title: Heading.
        values: One per cell; NaN where it is not known.
        decimals: So many are shown.
    """

    title: str
    values: Sequence[float]
    decimals: int = DIGITS


@dataclass(frozen=True)
class Series:
    """The predictions of one model, in one or all folds, for some of the cells.

    Attributes:
        title: Model and protocol.
        dataset: Code of the data set in the first column.
        cells: Indices of the predicted cells.
        probability: Probability of the positive class of each of them; with ``classes`` that of
            the predicted class.
        note: What a reader must know of it, as a sentence; may be empty.
        maps: For each of the cells the tile of its attribution map, or :data:`UNKNOWN`; empty where
            there are none.
        classes: Names of more than two classes, of which the most probable one is predicted; empty
            where the positive class is predicted from a threshold on.
        predicted: With ``classes`` the predicted class of each of the cells, as its index.
        truth: With ``classes`` the probability of the true class of each of the cells.
    """

    title: str
    dataset: int
    cells: Sequence[int]
    probability: Sequence[float]
    note: str = ""
    maps: Sequence[int] = ()
    classes: Sequence[str] = ()
    predicted: Sequence[int] = ()
    truth: Sequence[float] = ()


@dataclass(frozen=True)
class Marks:
    """What a reader can correct: the labels of cells by their places in photographs.

    Attributes:
        labels: Names of the classes that a cell can be given.
        nothing: Label of what is no cell of any class.
        path: Key of the column with the photograph's file.
        subject: Key of the column with the subject.
        x: Column of the middle of every cell, pixels.
        y: Row of the middle of every cell.
        origin: Text of the column ``origin`` of the sheet: where the positions are from.
        file: Name of the downloaded sheet.
    """

    labels: Sequence[str]
    nothing: str
    path: str
    subject: str
    x: Sequence[float]
    y: Sequence[float]
    origin: str
    file: str


@dataclass(frozen=True)
class Gallery:
    """All cells of a page.

    Attributes:
        name: Name of the gallery on its page.
        names: Names of the n cells.
        labels: 1 for the positive class, 0 for the others, :data:`UNKNOWN` without a class.
        columns: Properties; the first one is the data set.
        positive: Name of the positive class of each data set.
        series: Predictions, in the order of the choice.
        measures: Numbers to sort by.
        heading: What a series is.
        order: Value of the first choice of the order in the script; empty for its own.
        marks: What can be corrected; None for nothing.
        map_note: What is said of every attribution map.
    """

    name: str
    names: Sequence[str]
    labels: Sequence[int]
    columns: Sequence[Column]
    positive: Sequence[str]
    series: Sequence[Series]
    measures: Sequence[Measure] = field(default_factory=tuple)
    heading: str = "Model and protocol"
    order: str = ""
    marks: Marks | None = None
    map_note: str = ""

    def __post_init__(self) -> None:
        number = len(self.names)
        lengths = {"labels": len(self.labels)}
        lengths |= {f"column {column.key}": len(column.codes) for column in self.columns}
        lengths |= {f"measure {measure.title}": len(measure.values) for measure in self.measures}
        if self.marks:
            lengths |= {"x": len(self.marks.x), "y": len(self.marks.y)}
        if wrong := {what: length for what, length in lengths.items() if length != number}:
            raise BlastfoldError(f"a gallery of {number} cells has {wrong}")
        for series in self.series:
            cells = series.cells
            lengths = {len(cells), len(series.probability), len(series.maps) or len(cells)}
            if series.classes:
                lengths |= {len(series.predicted), len(series.truth)}
            if len(lengths) > 1 or (len(cells) and max(cells) >= number):
                raise BlastfoldError(
                    f"series '{series.title}': {len(cells)} cells below {number} with "
                    f"{len(series.probability)} probabilities, and as many maps or none, expected"
                )

    def json(self, files: Sequence[str] = ()) -> str:
        """Return what the gallery's script reads; safe inside an HTML script element.

        Args:
            files: Sheets next to the page, as addresses; empty where they are in the page.
        """
        return for_script(
            {
                "cells": len(self.names),
                "names": list(self.names),
                "labels": _whole(self.labels),
                "threshold": THRESHOLD,
                "positive": list(self.positive),
                "columns": [_column(column) for column in self.columns],
                "measures": [
                    {
                        "title": measure.title,
                        "values": _rounded(measure.values),
                        "decimals": measure.decimals,
                    }
                    for measure in self.measures
                ],
                "heading": self.heading,
                "order": self.order,
                "series": [_series(series) for series in self.series],
                "sheet": {"columns": SHEET_COLUMNS, "rows": SHEET_ROWS, "files": list(files)},
                "map_note": self.map_note,
                "marks": _marks(self.marks) if self.marks else None,
            }
        )


def for_script(content: object) -> str:
    """Return JSON in which no text can end the HTML element that it is in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def tile_side(tiles: int) -> int:
    """Return the side of a tile in pixels for a number of tiles, see :data:`SIDES`."""
    return next(side for most, side in SIDES if most is None or tiles <= most)


def tile_of(picture: np.ndarray, side: int) -> np.ndarray:
    """Fit a picture into a square tile; the rest of the tile is white.

    Args:
        picture: uint8 (height, width, 3) RGB.
        side: Side of the tile in pixels.

    Returns:
        uint8 (side, side, 3) RGB.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    fitted = cv2.resize(np.ascontiguousarray(picture), size, interpolation=how)
    tile = np.full((side, side, 3), PADDING, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = fitted
    return tile


def sprite_sheets(pictures: Iterable[np.ndarray], side: int) -> Iterator[str]:
    """Yield the sheets of :func:`sprite_files` as base64 text."""
    return map(as_text, sprite_files(pictures, side))


def sprite_files(pictures: Iterable[np.ndarray], side: int) -> Iterator[bytes]:
    """Put pictures onto sheets, one sheet after another, so that memory holds one.

    Args:
        pictures: uint8 (height, width, 3) RGB of any size, in the order of the tiles.
        side: Side of a tile in pixels.

    Yields:
        JPEG files.
    """
    pictures = iter(pictures)
    while batch := list(itertools.islice(pictures, SHEET_COLUMNS * SHEET_ROWS)):
        rows = -(-len(batch) // SHEET_COLUMNS)
        sheet = np.full((rows * side, SHEET_COLUMNS * side, 3), PADDING, np.uint8)
        for place, picture in enumerate(batch):
            top, left = place // SHEET_COLUMNS * side, place % SHEET_COLUMNS * side
            sheet[top : top + side, left : left + side] = tile_of(picture, side)
        yield jpeg_file(sheet)


def encode_jpeg(picture: np.ndarray) -> str:
    """Return a picture, uint8 (height, width, 3) RGB, as a JPEG file in base64 text."""
    return as_text(jpeg_file(picture))


def jpeg_file(picture: np.ndarray, quality: int = QUALITY) -> bytes:
    """Return a picture, uint8 (height, width, 3) RGB, as a JPEG file."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR]
    options.append(cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    return cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)[1].tobytes()


def as_text(file: bytes) -> str:
    """Return the content of a file as base64 text."""
    return base64.b64encode(file).decode("ascii")


def _column(column: Column) -> dict:
    return {
        "key": column.key,
        "title": column.title,
        "values": list(column.values),
        "codes": _whole(column.codes),
        "filter": column.filter,
    }


def _series(series: Series) -> dict:
    content = {
        "title": series.title,
        "dataset": int(series.dataset),
        "cells": _whole(series.cells),
        "probability": _rounded_below(series.probability, THRESHOLD),
        "note": series.note,
    }
    content |= {"maps": _whole(series.maps)} if len(series.maps) else {}
    if not len(series.classes):
        return content
    return content | {
        "classes": list(series.classes),
        "predicted": _whole(series.predicted),
        "probability": _rounded(series.probability),
        "truth": _rounded(series.truth),
    }


def _marks(marks: Marks) -> dict:
    # A tenth of a pixel, as in the tables of cells.
    places = {axis: [round(float(value), 1) for value in getattr(marks, axis)] for axis in "xy"}
    return {**asdict(marks), "labels": list(marks.labels), **places}


def _whole(numbers: Sequence[int]) -> list[int]:
    return [int(number) for number in numbers]


def _rounded(numbers: Sequence[float]) -> list[float | None]:
    """Round; an unknown number is null in JSON."""
    known = map(float, numbers)
    return [None if math.isnan(number) else round(number, DIGITS) for number in known]


def _rounded_below(numbers: Sequence[float], threshold: float) -> list[float]:
    """Round, and keep what is below a threshold below it: the script predicts by what it reads."""
    step = 10.0**-DIGITS
    return [
        round(threshold - step, DIGITS) if number < threshold <= rounded else rounded
        for number, rounded in zip(numbers, _rounded(numbers), strict=True)
    ]
