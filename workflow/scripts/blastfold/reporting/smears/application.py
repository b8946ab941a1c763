"""An application of networks to photographs, as its stored tables have it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from blastfold.core.detection_tables import outline_of
from blastfold.core.tables import read_table

CELL_TEXT = ("photograph", "subject", "picture", "set_aside", "outline", "predicted", "note")
PHOTOGRAPH_TEXT = ("photograph", "subject", "picture", "scale", "problem", "note")
SUBJECT_TEXT = ("subject", "note")


@dataclass(frozen=True)
class Application:
    """An application.

    Attributes:
        title: Its title.
        cells: One row per detection, see ``cells.tsv``.
        photographs: One row per file, see ``photographs.tsv``.
        subjects: One row per subject, see ``subjects.tsv``.
        record: The model and how it was applied.
        titles: Of the model, its data set and its protocol, as far as they are known.
    """

    title: str
    cells: pd.DataFrame
    photographs: pd.DataFrame
    subjects: pd.DataFrame
    record: Mapping
    titles: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        title: str,
        files: Mapping[str, str | os.PathLike],
        titles: Mapping[str, str] | None = None,
    ) -> "Application":
        """Read an application.

        Args:
            title: Its title.
            files: Paths by name: cells, photographs, subjects and record.
            titles: Of the model, its data set and its protocol.

        Raises:
            InputError: A file is not as expected.
        """
        return cls(
            title,
            read_table(files["cells"], CELL_TEXT, CELL_TEXT),
            read_table(files["photographs"], PHOTOGRAPH_TEXT, PHOTOGRAPH_TEXT),
            read_table(files["subjects"], SUBJECT_TEXT, SUBJECT_TEXT),
            json.loads(Path(files["record"]).read_text("utf-8")),
            titles or {},
        )

    def name_of(self, kind: str) -> str:
        """Return the title of the model, data set or protocol; its name where it has none.

        Args:
            kind: model, dataset or protocol.

        Returns:
            Empty where neither is known.
        """
        key = "name" if kind == "model" else kind
        return str(self.titles.get(kind) or self.record["model"].get(key) or "")

    @property
    def positive(self) -> str:
        """Name of the positive class."""
        return self.record["positive"]

    @cached_property
    def classified(self) -> pd.DataFrame:
        """The cells that a network predicted, in the order of their crops."""
        found = self.cells[self.cells["crop"].notna()]
        return found.assign(crop=found["crop"].astype(int)).sort_values("crop")

    @cached_property
    def by_photograph(self) -> dict[str, pd.DataFrame]:
        """The cells of every photograph that has some."""
        return dict(iter(self.cells.groupby("photograph", sort=False)))

    def cells_of(self, photograph: str) -> pd.DataFrame:
        """Return the cells of a photograph."""
        return self.by_photograph.get(photograph, self.cells[:0])


def contour(cell: Mapping) -> np.ndarray:
    """Return the outline of a cell, or its box where it has none: float (n, 2), x and y."""
    points = outline_of(cell["outline"])
    if len(points) > 2:
        return points
    left, top = cell["left"], cell["top"]
    right, bottom = left + cell["width"], top + cell["height"]
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
