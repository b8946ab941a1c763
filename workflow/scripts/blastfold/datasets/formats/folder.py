"""Your own images: one folder per class, or a sheet that names every image.

The generated demo data set has the same form, with the sheet ``cells.tsv``.
"""

import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import is_file
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.raw_files import find_files, refuse_special
from blastfold.datasets.formats.common import class_labels, is_image, records_table

DEFAULT_CLASSES = dict(
    zip(
        LEUKAEMIA_CLASSES,
        (
            ("normal", "hem", "healthy", "benign", "negative"),
            ("blast", "all", "lymphoblast", "leukemia", "leukaemia", "malignant", "positive"),
        ),
        strict=True,
    )
)
"""Words of folders and sheets for each class."""

DEMO_SHEET = "cells.tsv"
REQUIRED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("image_id", "subject", "picture", "parent", "part")
FILE_COLUMNS = ("mask", "photograph")
"""Columns of the sheet that name a file of the data set; a cell may be empty."""


def list_images(root: Path, settings: Mapping) -> pd.DataFrame:
    """List images by sheet or by class folder (see :func:`datasets.formats.list_records`).

    Args:
        root: The data set's folder.
        settings: ``sheet``: name of a TSV or CSV file in the folder, with the columns path
            (relative to the folder) and label, and if known image_id, subject, picture, parent,
            part, mask and photograph (files, relative to the folder); other columns are ignored.
            Without it the nearest folder with a class name gives the label. ``classes``: the
            source's names of the classes.

    Returns:
        The table of images with ``problem``. Without image_id it is the path without ending.

    Raises:
        InputError: Sheet, column, label or file is not as expected; the message says where.
    """
    labels = class_labels(settings.get("classes"), DEFAULT_CLASSES)
    if settings.get("sheet"):
        records = list(_from_sheet(root, root / settings["sheet"], labels))
        given = [name for name in FILE_COLUMNS if any(name in record for record in records)]
        return records_table(records, problem="", **dict.fromkeys(given, ""))
    return records_table(_from_folders(root, labels), problem="")


def list_demo(root: Path, settings: Mapping) -> pd.DataFrame:
    """List the cells of the generated demo data set by its sheet ``cells.tsv``.

    Args:
        root: The folder that the generator wrote.
        settings: As for :func:`list_images`.

    Returns:
        The table of images with ``problem``.
    """
    return list_images(root, {**settings, "sheet": settings.get("sheet") or DEMO_SHEET})


def _from_folders(root: Path, labels: Mapping[str, int]) -> Iterator[dict]:
    for file in filter(is_image, find_files(root)):
        folders = PurePosixPath(file).parts[:-1]
        record = {"image_id": str(PurePosixPath(file).with_suffix("")), "file": file}
        named = [folder for folder in folders if folder.casefold() in labels]
        if named:
            yield {**record, "label": labels[named[-1].casefold()]}
        elif folders:
            raise InputError(
                f"'{root}': the folder '{folders[-1]}' has images, but is not a class. Expected "
                f"{_expected(labels)}. Rename it, or enter it under the key 'classes'."
            )
        else:
            yield {**record, "label": 0, "problem": "is not in a class folder"}


def _from_sheet(root: Path, sheet: Path, labels: Mapping[str, int]) -> Iterator[dict]:
    for row_number, row in read_sheet(sheet):
        text = row["label"]
        if text.casefold() not in labels:
            raise InputError(
                f"'{sheet}', row {row_number}, column label: "
                f"{f'{text!r} is unknown' if text else 'empty'}; expected {_expected(labels)}. "
                "Other names are entered under the key 'classes'."
            )
        named = {"file": "path"} | {name: name for name in FILE_COLUMNS if row.get(name)}
        files = {name: _existing_file(root, row[column]) for name, column in named.items()}
        for name, column in named.items():
            if files[name] is None:
                raise InputError(
                    f"'{sheet}', row {row_number}, column {column}: the file {row[column]!r} does "
                    f"not exist in '{root}'."
                )
        record = {name: row[name] for name in (*OPTIONAL_COLUMNS, *FILE_COLUMNS) if name in row}
        record |= {**files, "label": labels[text.casefold()]}
        file = files["file"]
        record["image_id"] = record.get("image_id") or str(PurePosixPath(file).with_suffix(""))
        yield record


def read_sheet(sheet: Path) -> list[tuple[int, dict[str, str]]]:
    """Read a sheet with a header; tab, comma or semicolon separates its columns.

    Args:
        sheet: A UTF-8 text file, with or without byte order mark.

    Returns:
        Number of the row (the header is row 1) and its cells by column name in lower case,
        without surrounding spaces (``path`` as it is); wholly empty rows are left out.

    Raises:
        InputError: The sheet is missing, no text, lacks a column, or a row is too long.
    """
    refuse_special(sheet)
    try:
        text = sheet.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"The sheet '{sheet}' does not exist (key 'sheet').") from None
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(
            f"The sheet '{sheet}' cannot be read as UTF-8 text ({error}); "
            "save spreadsheets as tab-separated text."
        ) from error
    delimiter = max("\t,;", key=text.partition("\n")[0].count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"'{sheet}' cannot be read as a table: {error}.") from error
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    for name in REQUIRED_COLUMNS:
        if columns.count(name) != 1:
            found = "there twice" if name in columns else f"missing; the columns are {columns}"
            raise InputError(f"'{sheet}': the column '{name}' is {found}.")
    return [
        (row_number, _named_cells(sheet, row_number, columns, cells))
        for row_number, cells in enumerate(rows[1:], start=2)
        if any(map(str.strip, cells))
    ]


def _named_cells(sheet: Path, row_number: int, columns: list[str], cells: list[str]) -> dict:
    if len(cells) > len(columns):
        raise InputError(
            f"'{sheet}', row {row_number}: {len(cells)} cells for {len(columns)} columns."
        )
    padded = cells + [""] * (len(columns) - len(cells))
    # A file name may begin or end with a space; nothing else may.
    return {
        name: cell if name == "path" else cell.strip()
        for name, cell in zip(columns, padded, strict=True)
    }


def _existing_file(root: Path, path: str) -> str | None:
    """Find a file also when its accents are coded differently or backslashes divide its path."""
    spellings = [path, path.strip(), path.strip().replace("\\", "/")]
    spellings += [unicodedata.normalize(form, spellings[-1]) for form in ("NFC", "NFD")]
    return next((name for name in spellings if name and is_file(root / name)), None)


def _expected(labels: Mapping[str, int]) -> str:
    return "; ".join(
        f"{class_name}: " + ", ".join(name for name, value in labels.items() if value == label)
        for label, class_name in enumerate(LEUKAEMIA_CLASSES)
    )
