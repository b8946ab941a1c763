"""Audit of a sheet of printed results of several classes, from anyone's publication."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.notes import join_notes, make_note, notes_about
from blastfold.core.tables import read_text_table
from blastfold.statistics.printed_classes import PrintedClasses, audit_printed_classes
from blastfold.statistics.printed_results import read_figure

SHEET_COLUMNS = ("result", "class", "images", "recall", "accuracy")
"""Columns of a sheet: one row per class of a printed result. recall and accuracy are in percent as
printed, empty where not printed; accuracy is in any row of its result, or in all of them."""

AUDIT_COLUMNS = ("result", "classes", "images", "accuracy", "verdict", "possible_counts", "note")
CLASS_NAMES = "class_names"


def audit_sheet(path: str | os.PathLike) -> pd.DataFrame:
    """Audit every printed result of a sheet.

    Args:
        path: Tab-separated table with the columns :data:`SHEET_COLUMNS`.

    Returns:
        Columns :data:`AUDIT_COLUMNS`, one row per result: number of classes and of images, the
        accuracy as printed, the verdict (possible or impossible), how many choices of correct
        images by class print all figures, and note (codes, ``class-1`` is the first class). And
        :data:`CLASS_NAMES`, a list of the names. A figure is judged to its printed decimals.

    Raises:
        InputError: The sheet lacks a column or has no row, a class is twice in a result, a number
            is not one, figures are fractions, or a result has two accuracies; names the result.
    """
    sheet = read_text_table(path, SHEET_COLUMNS)
    if sheet.empty:
        raise InputError(f"{path}: has a header and no row; expected one row per class of a result")
    rows = []
    for name, rows_of_result in sheet.groupby("result", sort=False):
        try:
            rows.append({"result": name, **_audited(rows_of_result)})
        except InputError as error:
            raise InputError(f"{path}: result {name!r}: {error}") from None
    return pd.DataFrame(rows, columns=[*AUDIT_COLUMNS, CLASS_NAMES])


def _audited(rows: pd.DataFrame) -> dict:
    classes = rows["class"].str.strip().tolist()
    if doubled := [name for name in dict.fromkeys(classes) if classes.count(name) > 1]:
        raise InputError(f"the classes {doubled} are there twice, expected one row per class")
    printed = {text for text in rows["accuracy"].str.strip() if text}
    if len(printed) > 1:
        raise InputError(f"got the accuracies {sorted(printed)}, expected one")
    accuracy, tolerance = read_figure(printed.pop() if printed else "", "accuracy")
    images = dict(zip(classes, (_images(text) for text in rows["images"]), strict=True))
    figures = {
        name: read_figure(text, f"recall of {name}")
        for name, text in zip(classes, rows["recall"], strict=True)
    }
    recalls = {name: percent for name, (percent, _) in figures.items()}
    _check_percent([*recalls.values(), accuracy])
    within = {name: distance for name, (_, distance) in figures.items()}
    found = audit_printed_classes(images, recalls, accuracy, tolerance=tolerance, tolerances=within)
    return {
        "classes": len(classes),
        "images": sum(images.values()),
        "accuracy": np.nan if accuracy is None else accuracy,
        "verdict": found.verdict,
        "possible_counts": found.ways,
        "note": _note(found, recalls, accuracy),
        CLASS_NAMES: classes,
    }


def _check_percent(figures: Sequence[float | None]) -> None:
    """Refuse a result printed as fractions: no classifier has every recall at most 1 %."""
    given = [figure for figure in figures if figure is not None]
    if any(0 < figure < 1 for figure in given) and max(given) <= 1:
        raise InputError(f"got the figures {given}, which look like fractions; expected percent")


def _note(
    found: PrintedClasses, recalls: Mapping[str, float | None], accuracy: float | None
) -> str:
    absent = sum(value is None for value in recalls.values())
    missing = {"accuracy": make_note("not_printed")} if accuracy is None else {}
    unprinted = make_note("recalls_not_printed", absent) if absent else ""
    return join_notes(found.note, notes_about(missing), unprinted)


def _images(text: str) -> int:
    if not text.strip().isdecimal():
        raise InputError(f"images: got {text!r}, expected a whole number")
    return int(text)
