"""The sheet of slides and the table of regions: read strictly, before anything is computed."""

import csv
import io
import math
import re
from collections.abc import Mapping
from pathlib import Path

import jsonschema
import yaml

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.raw_files import refuse_special

REGION_COLUMNS = ("slide", "label", "x", "y", "width", "height")


def read_slides(path: str | Path, schema_path: str | Path) -> dict[str, dict]:
    """Read the sheet of slides.

    Args:
        path: TSV with the columns slide, path, label, subject and, where wanted, mpp and
            picture.
        schema_path: JSON schema of a row, as YAML.

    Returns:
        Rows by slide, in the sheet's order: path, label, subject and picture (the slide when
        empty) as text, mpp as float or None.

    Raises:
        InputError: The sheet is missing or empty, a column or a cell is not as expected, or a
            slide is listed twice.
    """
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    slides: dict[str, dict] = {}
    for number, row in _rows(path, "slides.sheet", schema["required"], schema["properties"]):
        _check_row(path, number, row, schema)
        slide = row["slide"]
        if slide in slides:
            raise InputError(
                f"'{path}', row {number}: slide '{slide}' is listed twice; every slide has one row."
            )
        slides[slide] = {
            "path": row["path"],
            "label": row.get("label", ""),
            "subject": row.get("subject", ""),
            "picture": row.get("picture") or slide,
            "mpp": float(row["mpp"]) if row.get("mpp") else None,
        }
    if not slides:
        raise InputError(f"'{path}' lists no slide; expected one row per slide.")
    _refuse_one_file_twice(path, slides)
    return slides


def read_regions(path: str | Path, slides: Mapping[str, dict]) -> dict[str, list[dict]]:
    """Read the table of regions whose tiles have a label of their own.

    Args:
        path: TSV with the columns slide, label, x, y, width, height (pixels of level 0).
        slides: The sheet's rows by slide.

    Returns:
        Regions by slide: label (text), x, y, width, height (float).

    Raises:
        InputError: The table is missing, a column or a number is not as expected, or a slide is
            not in the sheet.
    """
    regions: dict[str, list[dict]] = {}
    for number, row in _rows(path, "slides.regions", REGION_COLUMNS, REGION_COLUMNS):
        place = f"'{path}', row {number}"
        if row["slide"] not in slides:
            raise InputError(f"{place}: slide '{row['slide']}' is not in the sheet of slides.")
        if not row["label"]:
            raise InputError(f"{place}, column label: is empty; expected the label of the region.")
        region: dict = {"label": row["label"]}
        for column in REGION_COLUMNS[2:]:
            region[column] = _length(place, column, row[column])
        regions.setdefault(row["slide"], []).append(region)
    return regions


def demo_slides(settings: Mapping, folder: str) -> dict[str, dict]:
    """Return the rows of the generated slides, as :func:`read_slides` does.

    Args:
        settings: ``slides``, their number: normal and blast in turn.
        folder: Where they are generated.
    """
    rows = {}
    for number in range(settings["slides"]):
        label = LEUKAEMIA_CLASSES[number % 2]
        slide = f"{label}-{number // 2 + 1:02d}"
        rows[slide] = {
            "path": f"{folder}/{slide}.tif",
            "label": label,
            "subject": slide,
            "picture": slide,
            "mpp": None,
        }
    return rows


def check_chosen_slides(datasets: Mapping[str, Mapping], slides: Mapping[str, dict]) -> None:
    """Check that data sets of tiles name slides that are there.

    Args:
        datasets: The config's data sets.
        slides: Rows of the sheet by slide.

    Raises:
        InputError: A data set names an unknown slide.
    """
    for name, dataset in datasets.items():
        for slide in dataset.get("slides", ()):
            if slide not in slides:
                raise InputError(
                    f"datasets.{name}.slides: received '{slide}', expected slides of the sheet: "
                    f"{', '.join(slides)}"
                )


def _rows(path: str | Path, key: str, required: list, known: Mapping) -> list[tuple[int, dict]]:
    """Read a TSV with a header: number of the row (the header is 1) and its cells by column."""
    refuse_special(path)
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"'{path}' does not exist (key {key}).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"'{path}' cannot be read as UTF-8 text ({error}); save it as tab-separated text."
        ) from error
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
    except csv.Error as error:
        raise InputError(f"'{path}' cannot be read as a table: {error}.") from error
    columns = [name.strip() for name in lines[0]] if lines else []
    for name in required:
        if columns.count(name) != 1:
            found = "there twice" if name in columns else f"missing; the columns are {columns}"
            raise InputError(
                f"'{path}': the column '{name}' is {found}. Columns are separated by tabs."
            )
    unknown = [name for name in columns if name not in known]
    if unknown:
        raise InputError(f"'{path}': unknown column '{unknown[0]}'; expected {list(known)}.")
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(columns):
            raise InputError(
                f"'{path}', row {number}: {len(cells)} cells for {len(columns)} columns."
            )
        padded = cells + [""] * (len(columns) - len(cells))
        rows.append((number, dict(zip(columns, map(str.strip, padded), strict=True))))
    return rows


def _check_row(path: str | Path, number: int, row: dict, schema: dict) -> None:
    fault = next(jsonschema.Draft202012Validator(schema).iter_errors(row), None)
    if fault is not None:
        column = str(fault.absolute_path[0])
        expected = " ".join(schema["properties"][column]["description"].split())
        raise InputError(
            f"'{path}', row {number}, column {column}: received {fault.instance!r}, "
            f"expected: {expected}"
        )


def _refuse_one_file_twice(path: str | Path, slides: Mapping[str, dict]) -> None:
    owner: dict[str, str] = {}
    for slide, row in slides.items():
        first = owner.setdefault(row["path"], slide)
        if first != slide:
            raise InputError(
                f"'{path}': the slides '{first}' and '{slide}' are the same file '{row['path']}'; "
                "listed twice, its tiles would be on both sides of a split."
            )


def _length(place: str, column: str, text: str) -> float:
    positive = column in ("width", "height")
    value = float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else math.nan
    if math.isnan(value) or (positive and value <= 0):
        raise InputError(
            f"{place}, column {column}: received {text!r}, expected a "
            f"{'positive ' if positive else ''}number of pixels of level 0."
        )
    return value
