"""The files that the results page is made from; whatever is not there is left out.

Only declared files are read: a table of an earlier config in the same folder is never shown.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from blastfold.core.tables import read_table
from blastfold.reporting.tables.shown import ShownTable, read_shown_table


class Sources:
    """The declared files of an experiment by their path below the folder of results.

    Args:
        root: Folder of results.
        paths: Files below it; files elsewhere are left out.
    """

    def __init__(self, root: str | os.PathLike, paths: Iterable[str | os.PathLike]) -> None:
        self.root = Path(root)
        inside = [Path(path) for path in paths if Path(path).is_relative_to(self.root)]
        self.files = {path.relative_to(self.root).as_posix(): path for path in inside}

    def path(self, name: str) -> Path | None:
        """Return a file, for instance ``tables/leakage.tsv``; None where there is none."""
        path = self.files.get(name)
        return path if path is not None and path.is_file() else None

    def table(self, name: str) -> pd.DataFrame | None:
        """Return a table with its numbers, for instance ``tables/leakage``; None where none is."""
        path = self.path(f"{name}.tsv")
        return None if path is None else read_table(path)

    def shown(self, name: str) -> ShownTable | None:
        """Return a table as it is printed; None where there is none."""
        path = self.path(f"tables/{name}.md")
        return None if path is None else read_shown_table(path)

    def json(self, name: str) -> Any:
        """Return a JSON file; None where there is none."""
        path = self.path(name)
        return None if path is None else json.loads(path.read_text("utf-8"))

    def text(self, name: str) -> str | None:
        """Return a text; None where there is none."""
        path = self.path(name)
        return None if path is None else path.read_text("utf-8")

    def below(self, folder: str, ending: str) -> list[str]:
        """Return the names of all files in a folder and below it that have an ending."""
        return [
            name for name in self.files if name.startswith(f"{folder}/") and name.endswith(ending)
        ]
