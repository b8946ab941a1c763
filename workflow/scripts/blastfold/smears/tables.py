"""The tables of an application: one row per cell, per photograph and per subject.

``cells.tsv`` has all columns of :mod:`blastfold.cells.tables` and, for cells that were classified,
``crop_x``, ``crop_y``, ``crop_width`` and ``crop_height`` (pixels of the photograph), ``crop`` (row
of ``crops.npy``), ``probability_<class>`` (mean over the networks, as the networks give it),
``probability`` (of the positive classes after temperature scaling, mean over the networks),
``predicted`` (class at the threshold), ``spread`` (standard deviation of ``probability`` over the
networks), ``distance`` (of the cell's features from the training images', mean over the networks;
1 is the 99th percentile of the training images) and ``out_of_domain`` (1 where it is larger).

``photographs.tsv`` and ``subjects.tsv`` count: ``classified`` cells, ``positive`` ones, their
``share``, ``out_of_domain`` cells and the ``mean_probability``. ``lower`` and ``upper`` are the
limits of the subject's share, see :mod:`blastfold.smears.shares`. A subject without a name is all
photographs together of which nobody named the subject.
"""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from blastfold.cells.tables import CELL_COLUMNS as DETECTED_CELL_COLUMNS
from blastfold.cells.tables import PHOTOGRAPH_COLUMNS as DETECTED_PHOTOGRAPH_COLUMNS
from blastfold.core.names import SET_ASIDE
from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import read_table
from blastfold.smears.shares import share_interval

NOTICE = make_note("research_software_not_a_diagnosis")
"""Value of the column ``notice``, which every row of every table has: rows are copied."""

NAMED = ("photograph", "subject", "picture")

CLASSIFIED = ("probability", "predicted", "spread", "distance", "out_of_domain", "note")
CROPPED = ("crop_x", "crop_y", "crop_width", "crop_height", "crop")
COUNTED = ("classified", "positive", "share", "out_of_domain", "mean_probability", "note")

CELL_COLUMNS = (*NAMED, *DETECTED_CELL_COLUMNS[1:], *CROPPED, *CLASSIFIED)
"""Columns of ``cells.tsv``; those of the classes' probabilities are in addition."""

PHOTOGRAPH_COLUMNS = (*NAMED, *DETECTED_PHOTOGRAPH_COLUMNS[1:], "sha256", *COUNTED)
SUBJECT_COLUMNS = (
    *("subject", "photographs", "unusable", "leukocytes", *SET_ASIDE, "classified", "positive"),
    *("share", "lower", "upper", "out_of_domain", "mean_probability", "note"),
)

TEXT = ("photograph", "set_aside", "outline", "predicted", "scale", "problem", "note", "sha256")


def read_smear_cells(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``cells.tsv`` of an application.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, CELL_COLUMNS, text=TEXT)


def read_smear_photographs(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``photographs.tsv`` of an application.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, PHOTOGRAPH_COLUMNS, text=TEXT)


def read_smear_subjects(path: str | os.PathLike) -> pd.DataFrame:
    """Read ``subjects.tsv`` of an application.

    Raises:
        InputError: A column is missing.
    """
    return read_table(path, SUBJECT_COLUMNS, text=TEXT)


def probability_columns(classes: Sequence[str]) -> list[str]:
    """Return the columns of the classes' probabilities."""
    return [f"probability_{name}" for name in classes]


def count_photographs(
    photographs: pd.DataFrame, cells: pd.DataFrame, positive: Sequence[str]
) -> pd.DataFrame:
    """Return ``photographs.tsv``.

    Args:
        photographs: The detector's table with subject, picture, sha256 and note.
        cells: ``cells.tsv``.
        positive: Names of the positive classes.
    """
    by_photograph = dict(iter(cells.groupby("photograph")))
    none = cells[:0]
    rows = []
    for row in photographs.to_dict("records"):
        counted = count_cells(by_photograph.get(row["photograph"], none), positive)
        note = join_notes(row["note"], counted["note"])
        rows.append(row | counted | {"note": note})
    return pd.DataFrame(rows, columns=list(PHOTOGRAPH_COLUMNS))


def count_subjects(
    photographs: pd.DataFrame, cells: pd.DataFrame, positive: Sequence[str]
) -> pd.DataFrame:
    """Return ``subjects.tsv``.

    Args:
        photographs: ``photographs.tsv``.
        cells: ``cells.tsv``.
        positive: Names of the positive classes.
    """
    rows = []
    for subject, own in photographs.groupby("subject", sort=True):
        found = cells[cells["subject"] == subject]
        classified = found[found["crop"].notna()]
        counted = count_cells(found, positive)
        interval = share_interval(
            classified["predicted"].isin(positive).to_numpy(), classified["photograph"].to_numpy()
        )
        unknown = make_note("subject_not_named") if subject == "" else ""
        row = {"subject": subject, "photographs": len(own)}
        row |= {"unusable": int((own["problem"] != "").sum())}
        row |= {name: int(own[name].sum()) for name in ("leukocytes", *SET_ASIDE)}
        row |= counted | {"lower": interval.lower, "upper": interval.upper}
        row["note"] = join_notes(unknown, counted["note"], interval.note)
        rows.append(row)
    return pd.DataFrame(rows, columns=list(SUBJECT_COLUMNS))


def count_cells(cells: pd.DataFrame, positive: Sequence[str]) -> dict:
    """Count the classified cells of a photograph or of a subject.

    Returns:
        The columns :data:`COUNTED`; no share and no mean with a note where no cell was classified.
    """
    classified = cells[cells["crop"].notna()]
    number = len(classified)
    called = int(classified["predicted"].isin(positive).sum())
    beyond = classified["out_of_domain"]
    return {
        "classified": number,
        "positive": called,
        "share": called / number if number else np.nan,
        "out_of_domain": int(beyond.sum()) if beyond.notna().any() or not number else np.nan,
        "mean_probability": classified["probability"].mean() if number else np.nan,
        "note": join_notes(
            "" if number else make_note("no_cell_classified"),
            make_note("no_reference") if number and not beyond.notna().any() else "",
        ),
    }
