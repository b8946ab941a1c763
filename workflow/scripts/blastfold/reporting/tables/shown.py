"""Printed tables read back: captions, cells and notes exactly as Markdown shows them."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from blastfold.core.errors import InputError

_CELL = re.compile(r"(?:\\.|[^|\\])*")
_MARK = re.compile(r"^(?P<text>.*?)(?:<sup>(?P<letter>[a-z]+)</sup>)?$", re.DOTALL)
_NOTE = re.compile(r"^<sup>(?P<letter>[a-z]+)</sup> (?P<text>.*)$")


class Cell(NamedTuple):
    """One cell: its text, and the letter of its note (empty for none)."""

    text: str
    letter: str = ""


class ShownTable(NamedTuple):
    """A table as readers see it.

    Attributes:
        caption: Caption.
        headings: Headings of the columns.
        numeric: Whether each column is set to the right.
        rows: Rows of cells.
        notes: Notes by letter.
    """

    caption: str
    headings: list[str]
    numeric: list[bool]
    rows: list[list[Cell]]
    notes: dict[str, str]


def read_shown_table(path: str | os.PathLike) -> ShownTable:
    """Read a table that :func:`blastfold.reporting.tables.writing.to_markdown` wrote.

    Raises:
        InputError: The file holds no such table.
    """
    lines = [line for line in Path(path).read_text("utf-8").splitlines() if line]
    caption = [line for line in lines if not line.startswith(("| ", "<sup>"))]
    rows = [_cells(line) for line in lines if line.startswith("| ")]
    if len(caption) != 1 or len(rows) < 2 or len({len(row) for row in rows}) != 1:
        raise InputError(f"{path}: holds no table with one caption, headings and equal rows")
    notes = [found for line in lines if (found := _NOTE.match(line))]
    return ShownTable(
        caption=_plain(caption[0]),
        headings=[cell.text for cell in rows[0]],
        numeric=[cell.text.endswith("-:") for cell in rows[1]],
        rows=rows[2:],
        notes={found["letter"]: _plain(found["text"]) for found in notes},
    )


def _cells(line: str) -> list[Cell]:
    inside = line.removeprefix("|").removesuffix("|")
    texts = [found.group() for found in _CELL.finditer(inside) if found.end() > found.start()]
    return [_cell(text.strip()) for text in texts]


def _cell(text: str) -> Cell:
    found = _MARK.match(text)
    return Cell(_plain(found["text"]), found["letter"] or "")


def _plain(text: str) -> str:
    """Take back the escapes of Markdown."""
    return re.sub(r"\\(.)", r"\1", text)
