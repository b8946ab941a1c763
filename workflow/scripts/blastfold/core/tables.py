"""Tables as files: tab-separated text, written whole, read with types that do not depend on luck.

Nothing is guessed to be missing: ``NA`` is an image or a class of that name. Only an empty cell
of a column of numbers is a missing number.
"""

import csv
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.core.names import TEXT_COLUMNS


def read_text_table(path: str | os.PathLike, required: Iterable[str] = ()) -> pd.DataFrame:
    """Read a tab-separated table as text.

    Args:
        path: The file, UTF-8 with a header.
        required: Columns that must be there.

    Returns:
        Every column as text; an empty cell is an empty text.

    Raises:
        InputError: The file is no table, or a required column is missing.
    """
    return _read(path, required, dtype=str)


def read_table(
    path: str | os.PathLike, required: Iterable[str] = (), text: Iterable[str] = ()
) -> pd.DataFrame:
    """Read a tab-separated table with its numbers.

    Args:
        path: The file, UTF-8 with a header.
        required: Columns that must be there.
        text: Columns that hold text although every value may look like a number, in addition to
            :data:`blastfold.core.names.TEXT_COLUMNS`.

    Returns:
        Columns of numbers as numbers, NaN where a cell is empty; all others as text, where an
        empty cell is an empty text.

    Raises:
        InputError: The file is no table, or a required column is missing.
    """
    types = dict.fromkeys([*TEXT_COLUMNS, *text], str)
    table = _read(path, required, dtype=types, na_values=[""])
    words = [name for name in table if name in types or not _is_number(table[name])]
    return table.astype(dict.fromkeys(words, object)).fillna(dict.fromkeys(words, ""))


def format_table(table: pd.DataFrame, float_format: str | None = None) -> str:
    """Return a table as tab-separated text; numbers have all digits unless a format is given.

    A carriage return ends a row unless it is in quotation marks. pandas leaves them out, so that a
    table with one has them round all its text.
    """
    options = {"sep": "\t", "index": False, "lineterminator": "\n", "float_format": float_format}
    text = table.to_csv(**options)
    return table.to_csv(**options, quoting=csv.QUOTE_NONNUMERIC) if "\r" in text else text


def write_table(
    table: pd.DataFrame, path: str | os.PathLike, float_format: str | None = None
) -> None:
    """Write a table as tab-separated text, whole or not at all (see :func:`format_table`)."""
    with written_whole(path) as partial:
        partial.write_text(format_table(table, float_format), "utf-8", newline="")


def require_columns(
    table: pd.DataFrame, required: Iterable[str], source: str | os.PathLike
) -> None:
    """Check that a table has columns.

    Raises:
        InputError: Names the source, the missing columns and those that are there.
    """
    expected = list(required)
    if missing := [name for name in expected if name not in table]:
        header = str(table.columns[0]) if len(table.columns) == 1 else ""
        for mark, name in ((",", "commas"), (";", "semicolons")):
            if mark in header and missing[0] in header:
                raise InputError(
                    f"{source}: {name} separate its columns; expected tabs. Save it as "
                    "tab-separated text"
                )
        raise InputError(
            f"{source}: the columns {missing} are missing; received {list(table.columns)}, "
            f"expected {expected}. Give the columns of a table of your own these names; a file "
            "that an older version of Blastfold wrote must be made again"
        )


def shown(value: object) -> str:
    """Return a value of a table as a message shows it: text in quotation marks, numbers plain."""
    return repr(value) if isinstance(value, str) else str(value)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def _read(path: str | os.PathLike, required: Iterable[str], **options) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", keep_default_na=False, **options)
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError(
            f"{Path(path)}: is no table ({str(error).strip()}); expected tab-separated text with "
            "a header"
        ) from error
    require_columns(table, required, path)
    return table
