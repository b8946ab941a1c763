"""The photographs of a smear application, with the subject and the picture of each."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.tables import read_table, read_text_table
from blastfold.datasets.detected_cells import photograph_files
from blastfold.datasets.formats.common import plain_value
from blastfold.datasets.formats.file_index import FileIndex
from blastfold.datasets.formats.folder import DEMO_SHEET, Source
from blastfold.datasets.formats.sheet import name_cells, read_cells, refuse_similar_columns

LISTED_COLUMNS = ("photograph", "subject", "picture", "problem")
"""Columns of the list of photographs. The problem says why a row of a sheet has no photograph."""

NAMED_BY = ("photograph", "path", "file", "image")
"""Columns of a sheet that may name the photographs; the first that is there does."""

logger = logging.getLogger(__name__)

MISSING = "the sheet lists it, but the folder has no such photograph"


def list_photographs(folder: str | os.PathLike, settings: Mapping) -> pd.DataFrame:
    """List the photographs of a folder, of its sheet, or of a generated data set.

    Args:
        folder: The folder.
        settings: ``sheet``: name of a TSV or CSV file in the folder with one row per photograph (or
            per cell) and the columns path, subject and picture, of which the last two may be
            absent. ``pattern``: what is read from paths. ``ignore``: globs to leave out.
            ``generated``: whether the folder is one of generated smears.

    Returns:
        Columns :data:`LISTED_COLUMNS`, all text; empty where nobody names a subject.

    Raises:
        InputError: The folder or the sheet does not exist, has no photograph, or gives one
            photograph two subjects.
    """
    folder = Path(folder)
    if settings.get("generated"):
        return _generated(folder)
    files = photograph_files(folder, settings)
    if settings.get("sheet"):
        table = _from_sheet(folder, settings["sheet"], files)
    else:
        table = pd.DataFrame({"photograph": files, "subject": "", "picture": "", "problem": ""})
    return _named(table, Source(folder, settings))


def _generated(folder: Path) -> pd.DataFrame:
    cells = read_text_table(folder / DEMO_SHEET, ("picture", "subject"))
    table = cells[["subject", "picture"]].drop_duplicates("picture").sort_values("picture")
    table.insert(0, "photograph", "photographs/" + table["picture"] + ".png")
    return table.assign(problem="").reset_index(drop=True)


def _from_sheet(folder: Path, name: str, files: list[str]) -> pd.DataFrame:
    sheet = folder / name
    columns, rows = read_cells(sheet)
    named_by = next((column for column in NAMED_BY if column in columns), None)
    if named_by is None:
        raise InputError(
            f"'{sheet}': the column 'path' is missing; the columns are {columns}. Expected path, "
            "and if known subject and picture."
        )
    unread = [column for column in columns if column not in (named_by, "subject", "picture")]
    refuse_similar_columns(sheet, columns, unread)
    index = FileIndex(folder, files)
    found: dict[str, dict[str, str]] = {}
    for number, cells in rows:
        row = name_cells(sheet, columns, number, cells)
        file = index.find_image(row[named_by])
        record = {"photograph": file or row[named_by], "problem": "" if file else MISSING}
        record |= {key: plain_value(row.get(key, "")) for key in ("subject", "picture")}
        before = found.setdefault(record["photograph"], record)
        if before["subject"] != record["subject"]:
            raise InputError(
                f"'{sheet}', row {number}: the photograph '{record['photograph']}' has the "
                f"subjects {before['subject']!r} and {record['subject']!r}; expected one."
            )
    if not found:
        raise InputError(f"'{sheet}' has no row; expected one row per photograph.")
    return pd.DataFrame(list(found.values()))


def _named(table: pd.DataFrame, source: Source) -> pd.DataFrame:
    """Add what the pattern says of the paths; a picture without a name has that of its file.

    Raises:
        InputError: The pattern fits no path.
    """
    _check_pattern(table["photograph"].tolist(), source)
    records = [
        source.read_names({**record, "file": record["photograph"]})
        for record in table.to_dict("records")
    ]
    for record in records:
        stem = str(PurePosixPath(record["photograph"]).with_suffix(""))
        record["picture"] = record["picture"] or stem
    return pd.DataFrame(records)[list(LISTED_COLUMNS)]


def _check_pattern(files: list[str], source: Source) -> None:
    if source.pattern is None:
        return
    unfit = [file for file in files if source.pattern.read(file) is None]
    if len(unfit) == len(files):
        raise InputError(
            f"'{source.root}': the pattern {source.pattern.pattern!r} fits none of {len(files)} "
            f"photographs, for instance '{unfit[0]}'. It is compared with the end of the path, the "
            "ending of the file included; correct the key 'pattern'."
        )
    if unfit:
        logger.warning(
            "The pattern fits %d of %d photographs, but not '%s': their subject is not known",
            *(len(files) - len(unfit), len(files), unfit[0]),
        )


def read_listed(path: str | os.PathLike) -> pd.DataFrame:
    """Read a stored list of photographs.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, LISTED_COLUMNS, text=LISTED_COLUMNS)
