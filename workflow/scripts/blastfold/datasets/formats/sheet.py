"""The sheet of a folder of images: its columns, rows and labels."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from blastfold.core.errors import InputError
from blastfold.core.names import plain_name
from blastfold.core.path_patterns import IgnoreRules
from blastfold.core.raw_files import refuse_special
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.common import (
    Classes,
    advice_on_classes,
    expected_names,
    near_name,
    plain_value,
)
from blastfold.datasets.formats.file_index import FileIndex

REQUIRED_COLUMNS = ("path", "label")
OPTIONAL_COLUMNS = ("image_id", "subject", "picture", "parent", "part")
FILE_COLUMNS = ("mask", "photograph")
"""Columns of the sheet that name a file of the data set; a cell may be empty."""

NAME_COLUMNS = ("id", "image_id", "image", "file", "filename", "file_name", "image_name")
"""Columns that name the files where there is no column path."""

SIMILAR_COLUMNS = {
    "subject": (
        *("patient", "subject", "person", "donor", "participant", "individual", "proband", "case"),
        *("pid", "mrn", "paciente", "sujet", "personne"),
    ),
    "picture": ("photo", "picture", "smear", "slide", "wsi", "fieldofview"),
    "part": ("split", "partition", "subset"),
    "parent": ("original", "augmentedfrom", "source_image"),
}
"""How columns that nobody reads begin, and the column that is probably meant."""

LONGEST_SHOWN = 60
MOST_SHOWN = 40
"""So many characters and so many labels are shown in a message."""

TEXTS = ("path", *FILE_COLUMNS)
"""Columns whose cells are names of files, which may begin or end with a space."""


class Sheet:
    """Rows of a sheet.

    Args:
        sheet: A UTF-8 text file with a header; tab, comma or semicolon separates its columns.

    Raises:
        InputError: The sheet is missing, no text, lacks a column, or a row is too long.
    """

    def __init__(self, sheet: Path):
        self.path = sheet
        self.columns, self.rows = read_cells(sheet)
        self.named_by = self._find_path_column()
        for name in REQUIRED_COLUMNS:
            if name == "path" and self.named_by:
                continue
            if self.columns.count(name) != 1:
                found = "there twice" if name in self.columns else "missing"
                listed = "" if name in self.columns else f"; the columns are {self.columns}"
                raise InputError(f"'{sheet}': the column '{name}' is {found}{listed}.")
        refuse_similar_columns(sheet, self.columns, self.unread)

    def _find_path_column(self) -> str:
        if "path" in self.columns:
            return "path" if self.columns.count("path") == 1 else ""
        return next((name for name in NAME_COLUMNS if self.columns.count(name) == 1), "")

    @property
    def unread(self) -> list[str]:
        """The columns that are not read."""
        read = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS, *FILE_COLUMNS, self.named_by)
        return [name for name in self.columns if name not in read and name]

    def labels(self, ignore: IgnoreRules) -> Iterator[str]:
        """Yield the label of every row that is not left out."""
        for _, row in self.named_rows():
            if not ignore.rule_for(row["label"]) and not ignore.rule_for(row["path"].strip()):
                yield row["label"]

    def named_rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield the number of every row (the header is row 1) and its cells by column."""
        for number, cells in self.rows:
            row = name_cells(self.path, self.columns, number, cells)
            if self.named_by != "path":
                row["path"] = row[self.named_by]
            yield number, row


def refuse_similar_columns(sheet: Path, columns: list[str], unread: list[str]) -> None:
    """Refuse a column that nobody reads where another one is probably meant.

    Raises:
        InputError: Names both.
    """
    for column in unread:
        for meant, starts in SIMILAR_COLUMNS.items():
            if meant not in columns and plain_name(column).startswith(starts):
                raise InputError(
                    f"'{sheet}': the column '{column}' is not read. If it holds the "
                    f"{meant} of each image, rename it to '{meant}'; if not, remove it."
                )


def name_cells(sheet: Path, columns: list[str], number: int, cells: list[str]) -> dict[str, str]:
    """Return the cells of a row by column; cells at the end may be missing.

    Raises:
        InputError: The row has more cells than there are columns.
    """
    if len(cells) > len(columns):
        raise InputError(f"'{sheet}', row {number}: {len(cells)} cells for {len(columns)} columns.")
    padded = cells + [""] * (len(columns) - len(cells))
    return {
        name: cell if name in TEXTS else cell.strip()
        for name, cell in zip(columns, padded, strict=True)
    }


def read_cells(sheet: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read a table as people save it: UTF-8 text, with tab, comma or semicolon between columns.

    Args:
        sheet: The file.

    Returns:
        Names of the columns in lower case; and the number of every row that is not empty (the
        header is row 1) with its cells. A first line ``sep=;``, as Excel writes it, is no row.

    Raises:
        InputError: The file is missing, no text or no table, or a column is there twice; the
            message names it.
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
    text, delimiter = _delimited(text)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"'{sheet}' cannot be read as a table: {error}.") from error
    columns = [name.strip().lower() for name in rows[0]] if rows else []
    if doubled := [name for name in dict.fromkeys(columns) if name and columns.count(name) > 1]:
        raise InputError(
            f"'{sheet}': the column '{doubled[0]}' is there twice (upper and lower case are one). "
            "Rename or remove one of the two."
        )
    filled = [
        (number, cells)
        for number, cells in enumerate(rows[1:], start=2)
        if any(map(str.strip, cells))
    ]
    return columns, filled


def _delimited(text: str) -> tuple[str, str]:
    """Return the text of a table without Excel's line ``sep=``, and what separates columns."""
    first, _, rest = text.partition("\n")
    if named := re.fullmatch(r'"?sep=(.)"?', first.rstrip("\r"), re.IGNORECASE):
        return rest, named[1]
    return text, max("\t,;", key=first.count)


def read_records(
    sheet: Sheet, index: FileIndex, classes: Classes, ignore: IgnoreRules
) -> Iterator[tuple[int, dict]]:
    """Yield the number of every row that is not ignored, and its image.

    Args:
        sheet: The sheet.
        index: The files of the data set.
        classes: The classes of the data set.
        ignore: Globs of files and labels to leave out.

    Raises:
        InputError: A label is unknown, or a file does not exist; the message names the row.
    """
    labels = classes.labels
    _require_known_labels(sheet, classes, ignore)
    for number, row in sheet.named_rows():
        if ignore.rule_for(row["label"]) or ignore.rule_for(row["path"].strip()):
            continue
        record = {"label": labels[plain_value(row["label"]).casefold()]}
        for name in OPTIONAL_COLUMNS:
            if name in row:
                read = plain_value if name in ("subject", "picture", "part") else str
                record[name] = read(row[name])
        record |= _files_of(sheet, number, row, index)
        record["image_id"] = record.get("image_id") or str(
            PurePosixPath(record["file"]).with_suffix("")
        )
        yield number, record


def _require_known_labels(sheet: Sheet, classes: Classes, ignore: IgnoreRules) -> None:
    """Raise an error that lists all unknown labels with their numbers of rows."""
    rows = {}
    counts: Counter = Counter()
    for number, row in sheet.named_rows():
        text = row["label"]
        if plain_value(text).casefold() in classes.labels or ignore.rule_for(text):
            continue
        if not ignore.rule_for(row["path"].strip()):
            counts[text] += 1
            rows.setdefault(text, number)
    if not counts:
        return
    text = next(iter(rows))
    found = f"{text[:LONGEST_SHOWN]!r} is unknown" if text else "empty"
    listing = shorten(
        [
            f"{name[:LONGEST_SHOWN]!r} ({number} {'row' if number == 1 else 'rows'})"
            for name, number in counts.most_common()
        ],
        limit=MOST_SHOWN,
        quote="",
    )
    raise InputError(
        f"'{sheet.path}', row {rows[text]}, column label: {found}; expected "
        f"{expected_names(classes)}{near_name(text, classes)} All unknown labels: {listing}. "
        "Enter each under the key 'classes', or under 'ignore' to leave its images out."
        + advice_on_classes(classes)
    )


def _files_of(sheet: Sheet, number: int, row: Mapping, index: FileIndex) -> dict[str, str]:
    named = {"file": "path"} | {name: name for name in FILE_COLUMNS if row.get(name)}
    files = {}
    for name, column in named.items():
        found = index.find_image(row[column]) if name == "file" else index.find(row[column])
        if found is None:
            raise InputError(
                f"'{sheet.path}', row {number}, column {column}: the file {row[column]!r} does "
                f"not exist in '{index.root}'."
            )
        files[name] = found
    return files


def require_one_label(sheet: Sheet, rows: list[tuple[int, dict]]) -> None:
    """Refuse a sheet that gives one file two labels.

    Raises:
        InputError: Names the file, both rows and the key that allows it.
    """
    first: dict[str, tuple[int, int]] = {}
    clashes = []
    for number, record in rows:
        before, label = first.setdefault(record["file"], (number, record["label"]))
        if label != record["label"]:
            clashes.append(f"'{record['file']}' in the rows {before} and {number}")
    if clashes:
        raise InputError(
            f"'{sheet.path}': {len(clashes)} files have two labels: "
            f"{shorten(clashes, 3, quote='')}. Correct the sheet, or set "
            "conflicts: report to import them with both."
        )
