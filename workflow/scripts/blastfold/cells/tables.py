"""Detected cells as tables, and back.

``cells.tsv`` has one row per cell and per thing set aside: ``photograph`` (file), ``cell`` (number
in the photograph, from the top), ``x`` and ``y`` (centroid), ``left``, ``top``, ``width`` and
``height`` (pixels; the upper left pixel is 0, 0), ``area`` and ``nucleus_area`` (square
micrometres), ``roundness`` (4 pi area / perimeter ** 2, 1 for a disc), ``lobes`` (parts of the
nucleus), ``red``, ``green`` and ``blue`` (mean grey levels of the cell), ``purple`` (mean optical
density of the nucleus, red + green - 2 blue), ``nearest`` (micrometres from the centroid of the
nearest other leukocyte of the photograph; empty for a single one), ``set_aside`` (a code of
:data:`blastfold.core.names.SET_ASIDE`; empty for a whole leukocyte) and ``outline`` (corners, x,y
separated by spaces).

``photographs.tsv`` has one row per file: ``photograph``, ``width``, ``height``,
``red_cell_diameter`` (pixels), ``micrometres_per_pixel``, ``scale`` (a code of
:data:`blastfold.core.names.SCALES`), ``red_cells`` (how many gave the scale), ``leukocytes``
(whole ones), one column per reason of ``set_aside``, ``damaged_tiles`` and ``problem`` (why the
file could not be used).
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import KDTree

from blastfold.cells.detection import Searched
from blastfold.core.names import LEUKOCYTES, SET_ASIDE
from blastfold.core.tables import read_table

CELLS_FILE, PHOTOGRAPHS_FILE = "cells.tsv", "photographs.tsv"

CELL_COLUMNS = (
    *("photograph", "cell", "x", "y", "left", "top", "width", "height", "area", "nucleus_area"),
    *("roundness", "lobes", "red", "green", "blue", "purple", "nearest", "set_aside", "outline"),
)
PHOTOGRAPH_COLUMNS = (
    *("photograph", "width", "height", "red_cell_diameter", "micrometres_per_pixel", "scale"),
    *("red_cells", "leukocytes", *SET_ASIDE, "damaged_tiles", "problem"),
)


def cell_table(searched: Sequence[Searched], names: Sequence[str]) -> pd.DataFrame:
    """Return one row per cell.

    Args:
        searched: What was found in each file.
        names: The files' names in the table.
    """
    rows = [
        row
        for one, name in zip(searched, names, strict=True)
        if one.cells
        for row in _cell_rows(one, name)
    ]
    return pd.DataFrame(rows, columns=list(CELL_COLUMNS))


def _cell_rows(searched: Searched, name: str) -> list[tuple]:
    scale = searched.scale.micrometres
    nearest = nearest_leukocytes(
        np.array([(cell.x, cell.y) for cell in searched.cells]),
        np.array([cell.set_aside in LEUKOCYTES for cell in searched.cells]),
    )
    return [
        (
            *(name, number, round(cell.x, 1), round(cell.y, 1)),
            *(round(length) for length in cell.box),
            *(round(cell.area * scale**2, 2), round(cell.nucleus_area * scale**2, 2)),
            *(round(cell.roundness, 3), cell.lobes),
            *(round(level, 1) for level in cell.colour),
            *(round(cell.purple, 3), round(apart * scale, 1), cell.set_aside),
            " ".join(f"{x:.1f},{y:.1f}" for x, y in cell.outline.tolist()),
        )
        for number, (cell, apart) in enumerate(
            zip(searched.cells, nearest.tolist(), strict=True), start=1
        )
    ]


def nearest_leukocytes(places: np.ndarray, leukocytes: np.ndarray) -> np.ndarray:
    """Return how far the nearest other leukocyte is from each cell.

    Args:
        places: float (n, 2), x and y.
        leukocytes: bool (n,), whether each is a leukocyte.

    Returns:
        float (n,), in the unit of the places; NaN where there is none.
    """
    nearest = np.full(len(places), np.nan)
    if not leukocytes.any():
        return nearest
    apart, _ = KDTree(places[leukocytes]).query(places, k=2)
    # The nearest leukocyte of a leukocyte is itself.
    nearest = np.where(leukocytes, apart[:, 1], apart[:, 0])
    return np.where(np.isfinite(nearest), nearest, np.nan)


def photograph_table(searched: Sequence[Searched], names: Sequence[str]) -> pd.DataFrame:
    """Return one row per file; see :func:`cell_table`."""
    rows = []
    for one, name in zip(searched, names, strict=True):
        reasons = [cell.set_aside for cell in one.cells]
        row = {"photograph": name, "width": one.width, "height": one.height, "scale": ""}
        row |= {"problem": one.problem, "damaged_tiles": one.damaged, "red_cells": 0}
        row |= {"leukocytes": reasons.count("")}
        row |= {reason: reasons.count(reason) for reason in SET_ASIDE}
        if one.scale:
            row |= {"scale": one.scale.found_by, "red_cells": one.scale.red_cells}
        if one.scale and one.scale.diameter:
            row["red_cell_diameter"] = round(one.scale.diameter, 2)
            row["micrometres_per_pixel"] = round(one.scale.micrometres, 5)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(PHOTOGRAPH_COLUMNS))


def read_cells(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``cells.tsv``.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, CELL_COLUMNS, text=("photograph", "set_aside", "outline"))


def read_photographs(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``photographs.tsv``.

    Raises:
        InputError: A column is missing.
    """
    text = ("photograph", "scale", "problem")
    return read_table(path, PHOTOGRAPH_COLUMNS, text=text)


def short_names(paths: Sequence[Path], root: Path) -> list[str]:
    """Return the names of files in the tables: relative to the folder, with ``/``."""
    return [path.relative_to(root).as_posix() for path in paths]
