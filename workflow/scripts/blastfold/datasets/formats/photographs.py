"""Cells that were detected in photographs: each whole leukocyte gives one image.

Labels come from boxes, from a sheet of positions, from a sheet with one row per photograph, or from
the paths of the photographs.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
import pandas as pd

from blastfold.cells.tables import CELLS_FILE, PHOTOGRAPHS_FILE, read_cells, read_photographs
from blastfold.cells.truth import Comparison, compare_with_boxes, compare_with_positions
from blastfold.core.errors import InputError
from blastfold.core.names import DETECTED, NOT_A_LEUKOCYTE
from blastfold.core.smear_scale import CROP
from blastfold.datasets.formats.boxes import (
    NO_BOX,
    Box,
    crop_around,
    ignore_others,
    read_boxes,
    require_known_labels,
)
from blastfold.datasets.formats.common import IMAGE, kind_of_file, plain_value
from blastfold.datasets.formats.file_index import FileIndex
from blastfold.datasets.formats.folder import Source
from blastfold.datasets.formats.listing import Listing
from blastfold.datasets.formats.sheet import Sheet, read_records
from blastfold.slides.reading import VENDOR_SUFFIXES

REACH = 0.75
"""Diameters of a red cell; a cell has the label of a position that is no further from it."""

FROM_SHEET = ("subject", "picture", "part")
"""What the sheet says of a photograph."""

NOTHING = -1
"""Label of a place that is known to be no leukocyte."""

NO_CELL = "no whole leukocyte was found"


class Known(NamedTuple):
    """What is known of the cells of a photograph.

    Attributes:
        label: Of all its cells; None where they have none in common.
        places: float (n, 4), boxes as left, top, width and height, or (n, 2), positions.
        labels: Of the places; :data:`NOTHING` for what is no leukocyte.
        names: Subject, picture and part, as far as the sheet names them.
        detected: Whether a detector found the places, so that they are not all of the cells.
    """

    label: int | None = None
    places: np.ndarray = np.zeros((0, 2))
    labels: tuple[int, ...] = ()
    names: Mapping[str, str] = {}
    detected: bool = False

    @property
    def leukocytes(self) -> np.ndarray:
        """The places of leukocytes, as ``places``."""
        return self.places[np.array(self.labels, int) != NOTHING]

    def compare(self, points: np.ndarray, diameter: float) -> Comparison:
        """Compare detections with the places.

        Args:
            points: float (n, 2), x and y of the detections.
            diameter: Of red cells, pixels.
        """
        if self.places.shape[1] == 4:
            return compare_with_boxes(points, self.places)
        return compare_with_positions(points, self.places, REACH * diameter)


def list_photographs(root: Path, settings: Mapping) -> Listing:
    """List detected cells (see :func:`blastfold.datasets.formats.list_records`).

    Args:
        root: The folder of photographs.
        settings: ``detected``: folder with the tables of the detected cells. ``boxes``, ``sheet``,
            ``pattern``, ``ignore``, ``classes`` and ``crop`` as for a folder of images; a sheet has
            one row per photograph, or one per cell with the columns x and y (pixels of its middle).
            Such a position can have the label :data:`blastfold.core.names.NOT_A_LEUKOCYTE`.

    Returns:
        One image per whole leukocyte with a label.

    Raises:
        InputError: Nothing gives labels, or sheet, boxes or labels are not as expected.
    """
    source = Source(root, settings)
    if not any(is_searched(root, file) for file in source.files):
        return source.listing
    known, read = known_cells(source, settings)
    folder = Path(settings["detected"])
    photographs = read_photographs(folder / PHOTOGRAPHS_FILE)
    cells = read_cells(folder / CELLS_FILE)
    by_file = dict(iter(cells[cells["set_aside"] == ""].groupby("photograph")))
    records: list[dict] = []
    unlabelled = 0
    for row in photographs.to_dict("records"):
        file = row["photograph"]
        found = by_file.get(file, cells[:0])
        base = _base_record(source, file, known.get(file, Known()))
        if row["problem"] or not len(found):
            problem = row["problem"] or NO_CELL
            records.append(base | {"image_id": file, "label": 0, "problem": problem})
            continue
        labels = _labels(source, file, known.get(file, Known()), found, row["red_cell_diameter"])
        taken = list(_cell_records(base, found, labels, row, settings.get("crop")))
        unlabelled += labels.count(None)
        if not taken:
            problem = "no detected leukocyte has a label"
            taken = [base | {"image_id": file, "label": 0, "problem": problem}]
        records += taken
    if unlabelled:
        total = sum(map(len, by_file.values()))
        source.listing.doubt("unlabelled_cells", cells=unlabelled, of=total)
    ignore_others(source, read, records)
    if settings.get("sheet"):
        source.listing.ignored |= dict.fromkeys(read, "sheet")
    return source.finish(records, [""] * len(records), photograph="", **NO_BOX)


def is_searched(root: Path, file: str) -> bool:
    """Return whether a file of a folder is a photograph or a slide."""
    return file.lower().endswith(VENDOR_SUFFIXES) or kind_of_file(root, file)[0] == IMAGE


def known_cells(source: Source, settings: Mapping) -> tuple[dict[str, Known], set[str]]:
    """Read what boxes or a sheet say of the cells.

    Returns:
        By photograph; and the files that were read for it.

    Raises:
        InputError: Nothing gives labels, or sheet, boxes or labels are not as expected.
    """
    if settings.get("boxes"):
        return _from_boxes(source, settings["boxes"], settings.get("leukocytes"))
    if settings.get("sheet"):
        return _from_sheet(source, settings["sheet"])
    if not source.names_class:
        raise InputError(
            f"'{source.root}': nothing gives the labels of the cells. Expected one of the keys "
            "'boxes', 'sheet', or 'pattern' with {class}."
        )
    searched = [file for file in source.files if is_searched(source.root, file)]
    source.take_classes((source.pattern.read(file) or {}).get("class", "") for file in searched)
    return {}, set()


def _from_boxes(
    source: Source, name: str, leukocytes: Sequence[str] | None = None
) -> tuple[dict[str, Known], set[str]]:
    """Read the boxes that :func:`known_cells` reads.

    Args:
        source: The photographs.
        name: The key ``boxes``.
        leukocytes: Labels of leukocytes, whose class does not matter; empty for all labels. None
            takes the labels of the classes.
    """
    boxes, _, files = read_boxes(source, name)
    named = [plain_value(box.label).casefold() for box in boxes]
    wanted = {plain_value(str(label)).casefold() for label in leukocytes or ()}
    kept = [
        not source.ignore.rule_for(box.label) and (not wanted or label in wanted)
        for box, label in zip(boxes, named, strict=True)
    ]
    if leukocytes is None:
        source.take_classes(box.label for box in itertools.compress(boxes, kept))
        require_known_labels(source, name, list(itertools.compress(boxes, kept)))
    index = FileIndex(source.root, [file for file in source.files if file not in files])
    # A photograph whose boxes are all left out is known to have no leukocyte.
    by_file: dict[str, list[tuple[Box, int]]] = {}
    for box, label, taken in zip(boxes, named, kept, strict=True):
        found = next(filter(None, map(index.find_image, box.photograph.split("\n"))), None)
        if found:
            by_file.setdefault(found, [])
            by_file[found] += [(box, source.labels.get(label, 0))] if taken else []
    return {
        file: Known(
            None,
            np.array([box[2:6] for box, _ in some], float).reshape(-1, 4),
            tuple(label for _, label in some),
        )
        for file, some in by_file.items()
    }, files


def _from_sheet(source: Source, name: str) -> tuple[dict[str, Known], set[str]]:
    source.require_listed(name, "sheet")
    sheet = Sheet(source.root / name)
    index = FileIndex(source.root, source.files)
    rows = dict(sheet.named_rows())
    of_cells: dict[str, list[tuple[float, float, int]]] = defaultdict(list)
    of_files: dict[str, int] = {}
    names: dict[str, dict[str, str]] = {}
    detected: set[str] = set()
    source.take_classes(label for label in sheet.labels(source.ignore) if label != NOT_A_LEUKOCYTE)
    labels = {NOT_A_LEUKOCYTE: NOTHING, **source.labels}
    classes = source.classes._replace(labels=labels)
    for number, record in read_records(sheet, index, classes, source.ignore):
        file, label = record["file"], record["label"]
        place = _position(sheet, number, rows[number])
        if place is not None:
            of_cells[file].append((*place, label))
            if rows[number].get("origin") == DETECTED:
                detected.add(file)
        elif label == NOTHING:
            raise InputError(
                f"'{sheet.path}', row {number}: the label {NOT_A_LEUKOCYTE} is of one position. "
                "Expected x and y of the cell."
            )
        elif of_files.setdefault(file, label) != label:
            raise InputError(
                f"'{sheet.path}', row {number}: the photograph '{file}' has two labels. Expected "
                "one row per photograph, or the columns x and y of each cell."
            )
        said = {key: record[key] for key in FROM_SHEET if record.get(key)}
        names[file] = said | names.get(file, {})
    return {
        file: Known(
            of_files.get(file),
            np.array([place[:2] for place in of_cells[file]], float).reshape(-1, 2),
            tuple(place[2] for place in of_cells[file]),
            names[file],
            file in detected,
        )
        for file in names
    }, {PurePosixPath(name).as_posix()}


def _position(sheet: Sheet, number: int, row: Mapping) -> tuple[float, float] | None:
    texts = [row.get(axis, "") for axis in ("x", "y")]
    if not any(texts):
        return None
    try:
        x, y = map(float, texts)
    except ValueError:
        raise InputError(
            f"'{sheet.path}', row {number}: x {texts[0]!r} and y {texts[1]!r}; expected the "
            "column and the row of the middle of the cell in pixels, or two empty cells."
        ) from None
    return x, y


def _base_record(source: Source, file: str, known: Known) -> dict:
    record = {"file": file, **known.names}
    record |= {"picture": record.get("picture") or _stem(file), "photograph": file}
    return source.read_names(record)


def _labels(
    source: Source, file: str, known: Known, cells: pd.DataFrame, diameter: float
) -> list[int | None]:
    """Return the label of every cell: of its place, else of its photograph, else None."""
    common = known.label
    if common is None and source.names_class:
        name = (source.pattern.read(file) or {}).get("class", "")
        common = source.labels.get(plain_value(name).casefold())
    labels: list[int | None] = [common] * len(cells)
    compared = known.compare(cells[["x", "y"]].to_numpy(float), diameter)
    for cell, place in compared.found.tolist():
        labels[cell] = known.labels[place]
    return labels


def _cell_records(
    base: dict, cells: pd.DataFrame, labels: list[int | None], photograph: dict, crop: tuple | None
) -> Iterator[dict]:
    side = round(CROP * photograph["red_cell_diameter"])
    height, width = crop or (side, side)
    stem = _stem(base["file"])
    for (number, x, y), label in zip(
        cells[["cell", "x", "y"]].itertuples(index=False), labels, strict=True
    ):
        if label in (None, NOTHING):
            continue
        box = Box(base["file"], "", x - width / 2, y - height / 2, width, height, "")
        yield (
            base
            | crop_around(box, (height, width))
            | {
                "image_id": f"{stem}_cell{int(number):03d}",
                "label": label,
            }
        )


def _stem(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(""))
