"""Cells that boxes in photographs mark: Pascal VOC XML, COCO JSON, or a CSV of corners.

Every box gives one image, a crop around the centre of the box, and its photograph is the picture.
"""

import json
import math
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from blastfold.core.errors import InputError
from blastfold.core.files import exists
from blastfold.core.raw_files import refuse_special
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.common import (
    DOCUMENT,
    IMAGE,
    TABLE,
    expected_names,
    kind_of_file,
    plain_value,
)
from blastfold.datasets.formats.file_index import FileIndex
from blastfold.datasets.formats.sheet import read_cells

if TYPE_CHECKING:
    from blastfold.datasets.formats.folder import Source

NO_BOX = {"crop_x": -1, "crop_y": -1, "crop_width": -1, "crop_height": -1}
LARGEST = 2**24
"""Larger coordinates are no pixels of a photograph."""

COLUMNS = {
    "file": ("file", "filename", "file_name", "path", "image", "image_id", "image_path", "img"),
    "label": ("label", "class", "class_name", "cell_type", "name", "category"),
    "left": ("xmin", "x_min", "x1", "left", "x"),
    "top": ("ymin", "y_min", "y1", "top", "y"),
    "right": ("xmax", "x_max", "x2", "right"),
    "bottom": ("ymax", "y_max", "y2", "bottom"),
    "width": ("width", "w", "box_width"),
    "height": ("height", "h", "box_height"),
}
"""Names of the columns of a CSV; right and bottom, or width and height."""


class Box(NamedTuple):
    """One box, in pixels of its photograph; ``source`` is the file and place it was read from."""

    photograph: str
    label: str
    left: float
    top: float
    width: float
    height: float
    source: str


def list_boxes(source: "Source", settings: Mapping) -> tuple[list[dict], dict]:
    """List the cells in boxes.

    Args:
        source: The files of the data set.
        settings: ``boxes``: a folder of VOC XML files, a COCO JSON file or a CSV file, relative to
            the data set's folder. ``crop``: (height, width) of the crop around the centre of a box;
            None for the box itself.

    Returns:
        One record per box, photograph without a readable annotation, or damaged file; and the
        columns that records may lack, with what means none.

    Raises:
        InputError: The boxes do not exist or cannot be read, or labels are no classes; the message
            lists all labels with their counts.
    """
    boxes, problems, files = read_boxes(source, settings["boxes"])
    index = FileIndex(source.root, [file for file in source.files if file not in files])
    if not boxes and not problems:
        raise InputError(f"'{source.root / settings['boxes']}' has no box (key 'boxes').")
    boxes = [box for box in boxes if not source.ignore.rule_for(box.label)]
    source.take_classes(box.label for box in boxes)
    require_known_labels(source, settings["boxes"], boxes)
    records = _records(source, index, boxes, settings.get("crop"))
    if settings.get("conflicts") != "report":
        _require_one_label(records)
    ignore_others(source, files, records)
    return [*records, *problems], {"photograph": "", **NO_BOX}


def read_boxes(source: "Source", name: str) -> tuple[list[Box], list[dict], set[str]]:
    """Read the boxes of a data set.

    Args:
        source: The files of the data set.
        name: The key ``boxes``.

    Returns:
        All boxes, records of the files that cannot be read, and all files of boxes.

    Raises:
        InputError: The boxes do not exist or cannot be read.
    """
    place = PurePosixPath(name).as_posix().rstrip("/")
    path = source.root / place
    if path.is_dir():
        return _read_voc_folder(source, place)
    if not exists(path):
        raise InputError(
            f"'{path}' does not exist (key 'boxes'). Expected a folder of VOC XML files, a COCO "
            "JSON file or a CSV file, relative to the data set's folder."
        )
    source.require_listed(place, "boxes")
    return read_box_file(path), [], {place}


def read_box_file(path: Path) -> list[Box]:
    """Read a COCO JSON file or a CSV file of boxes, by its ending.

    Raises:
        InputError: Names the file and what is wrong in it.
    """
    return list(_read_coco(path) if path.suffix.lower() == ".json" else _read_csv(path))


def _read_voc_folder(source: "Source", place: str) -> tuple[list[Box], list[dict], set[str]]:
    inside = [file for file in source.files if place == "." or file.startswith(f"{place}/")]
    files = [file for file in inside if file.lower().endswith(".xml")]
    if not files:
        raise InputError(f"'{source.root / place}' has no XML file (key 'boxes').")
    boxes, problems = [], []
    for file in files:
        try:
            boxes += list(_read_voc(source.root, file))
        except (ElementTree.ParseError, InputError, LookupError, ValueError, OSError) as error:
            problem = f"the boxes cannot be read: {error}"
            problems.append({"image_id": file, "file": file, "label": 0, "problem": problem})
    return boxes, problems, set(files)


def _read_voc(root: Path, file: str) -> Iterator[Box]:
    refuse_special(root / file)
    annotation = ElementTree.parse(root / file).getroot()
    stem = PurePosixPath(file).stem
    photograph = (annotation.findtext("filename") or "").strip() or stem
    for number, element in enumerate(annotation.iter("object"), start=1):
        corners = [element.findtext(f"bndbox/{name}") for name in ("xmin", "ymin", "xmax", "ymax")]
        if None in corners:
            raise InputError(f"object {number} has no complete bndbox")
        left, top, right, bottom = map(float, corners)
        label = (element.findtext("name") or "").strip()
        # Many public data sets name a wrong file; the XML file is named after the photograph.
        names = f"{photograph}\n{stem}"
        place = f"'{file}', object {number}"
        yield Box(names, label, left, top, right - left, bottom - top, place)


def _read_coco(path: Path) -> Iterator[Box]:
    refuse_special(path)
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        photographs = {entry["id"]: _name(entry["file_name"]) for entry in content["images"]}
        names = {entry["id"]: _name(entry["name"]) for entry in content["categories"]}
        for number, entry in enumerate(content["annotations"], start=1):
            left, top, width, height = map(float, entry["bbox"])
            photograph, label = photographs[entry["image_id"]], names[entry["category_id"]]
            place = f"'{path.name}', annotation {number}"
            yield Box(photograph, label, left, top, width, height, place)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError, OSError) as error:
        raise InputError(
            f"'{path}' is no COCO file ({type(error).__name__}: {error}). Expected images (id, "
            "file_name), categories (id, name) and annotations (image_id, category_id, bbox)."
        ) from error


def _name(value: object) -> str:
    """Return a name of JSON, where half of a character can be written that no file can hold.

    Raises:
        UnicodeEncodeError: It has such a half.
    """
    name = str(value)
    name.encode("utf-8")
    return name


def _read_csv(path: Path) -> Iterator[Box]:
    columns, rows = read_cells(path)
    places = {
        meant: next((columns.index(name) for name in names if name in columns), None)
        for meant, names in COLUMNS.items()
    }
    sized = ("width", "height") if places["right"] is None else ("right", "bottom")
    missing = [name for name in ("file", "label", "left", "top", *sized) if places[name] is None]
    if missing:
        expected = "; ".join(f"{name}: {', '.join(COLUMNS[name])}" for name in missing)
        raise InputError(f"'{path}' lacks columns; its columns are {columns}, expected {expected}.")
    for number, cells in rows:
        try:
            left, top, *ends = (float(cells[places[name]]) for name in ("left", "top", *sized))
            photograph, label = (cells[places[name]].strip() for name in ("file", "label"))
        except (ValueError, IndexError):
            raise InputError(
                f"'{path}', row {number}: {cells[:8]}; expected numbers in the columns of the box."
            ) from None
        if sized[0] == "right":
            ends = [ends[0] - left, ends[1] - top]
        yield Box(photograph, label, left, top, *ends, f"'{path.name}', row {number}")


def require_known_labels(source: "Source", name: str, boxes: list[Box]) -> None:
    """Check that every box has the label of a class.

    Raises:
        InputError: Lists all unknown labels with their counts.
    """
    unknown = Counter(
        box.label for box in boxes if plain_value(box.label).casefold() not in source.labels
    )
    if unknown:
        listing = "\n".join(f"  {label}: {number} boxes" for label, number in unknown.most_common())
        raise InputError(
            f"'{source.root / name}': {unknown.total()} boxes have labels that are not classes:\n"
            f"{listing}\nExpected {expected_names(source.classes)}. Enter each label under the key "
            "'classes', or under 'ignore' to leave its boxes out."
        )


def _records(
    source: "Source", index: FileIndex, boxes: list[Box], crop: tuple[int, int] | None
) -> list[dict]:
    records, larger = [], 0
    counts: Counter = Counter()
    for box in boxes:
        found = next(filter(None, map(index.find_image, box.photograph.split("\n"))), None)
        name = found or box.photograph.partition("\n")[0]
        stem = str(PurePosixPath(name).with_suffix("")) if PurePosixPath(name).name else name
        counts[name] += 1
        record = {
            "image_id": f"{stem}_box{counts[name]:03d}",
            "file": name,
            "picture": stem,
            "photograph": found or "",
            "label": source.labels[plain_value(box.label).casefold()],
            "problem": "" if found else f"the photograph of {box.source} is missing",
        }
        if not record["problem"] and (fault := _fault(box)):
            record["problem"] = fault
        if not record["problem"]:
            record |= crop_around(box, crop)
            larger += crop is not None and (box.height > crop[0] or box.width > crop[1])
        records.append(source.read_names(record))
    if larger:
        source.listing.doubt("box_larger", images=larger)
    # One photograph is decoded once for all of its boxes.
    return sorted(records, key=lambda record: (record["file"], record["image_id"]))


def _fault(box: Box) -> str:
    numbers = (box.left, box.top, box.width, box.height)
    if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > LARGEST:
        return f"{box.source}: the box {numbers} has no usable numbers"
    if round(box.width) < 1 or round(box.height) < 1:
        return f"{box.source}: the box of {box.width:g} x {box.height:g} pixels is empty"
    return ""


def crop_around(box: Box, crop: tuple[int, int] | None) -> dict[str, int]:
    """Return the columns of a crop (height, width) around the centre of a box; None: the box."""
    height, width = crop or (round(box.height), round(box.width))
    centre_x, centre_y = box.left + box.width / 2, box.top + box.height / 2
    return {
        "crop_x": round(centre_x - width / 2),
        "crop_y": round(centre_y - height / 2),
        "crop_width": int(width),
        "crop_height": int(height),
    }


def _require_one_label(records: list[dict]) -> None:
    first: dict[tuple, dict] = {}
    clashes = []
    for record in records:
        if record["problem"]:
            continue
        place = (record["file"], record["crop_x"], record["crop_y"])
        other = first.setdefault(place, record)
        if other["label"] != record["label"]:
            clashes.append(f"{other['image_id']} and {record['image_id']}")
    if clashes:
        raise InputError(
            f"{len(clashes)} boxes have the place of another box with another label: "
            f"{shorten(clashes, 3, quote='')}. Correct them, or "
            "set conflicts: report to import both."
        )


def ignore_others(source: "Source", files: set[str], records: list[dict]) -> None:
    """Enter the rule of every file that gives no image; ``files`` are those of boxes."""
    used = {record["file"] for record in records}
    for file in source.files:
        if file in files and file not in used:
            source.listing.ignored[file] = "boxes"
        elif file not in used:
            kind = kind_of_file(source.root, file)[0]
            names = {IMAGE: "without_box", DOCUMENT: DOCUMENT, TABLE: TABLE}
            source.listing.ignored[file] = names.get(kind, "other_part")
