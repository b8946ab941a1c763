"""The table of the leak in isolation, with the protocol gap that answers another question."""

import os
from collections.abc import Iterable, Mapping

import pandas as pd

from blastfold.core.names import PROCEDURE
from blastfold.core.tables import read_table
from blastfold.reporting.tables.comparisons import difference_cells
from blastfold.reporting.tables.writing import write_table

Paths = Iterable[str | os.PathLike]

LEAK, GAP = "What is the effect of leaked images?", "What would I have published?"
"""The questions that a leak contrast and a protocol gap answer."""

LEAKED = {"subject": "other images of the tested subjects", "copies": "copies of the tested images"}
"""What leaks in a contrast."""

COLUMNS = (
    *("question", "model", "model_title", "compared", "metric", "metric_title", "first", "second"),
    *("difference", "difference_lower", "difference_upper", "adjusted_p_value", "outcome", "note"),
)


def tabulate_leak_contrast(
    contrast: str | os.PathLike,
    gap: str | os.PathLike | None,
    titles: Mapping[str, Mapping[str, str]],
    gap_titles: Mapping[str, Mapping[str, str]],
    title: str,
    label: str,
    paths: Paths,
) -> None:
    """Write the effect of the leak in every model, and the protocol gap below.

    Args:
        contrast: ``leak_contrast.tsv`` of the data set.
        gap: ``protocol_gap.tsv`` of the data set; None where no model has two protocols.
        titles: Titles by name under ``"model"`` and ``"contrast"``.
        gap_titles: Titles by name under ``"model"`` and ``"protocol"``.
        title: Title of the data set.
        label: LaTeX label.
        paths: Tables to write.
    """
    rows = [*contrast_rows(contrast, titles), *gap_rows(gap, gap_titles)]
    caption = (
        f"The leak in isolation on {title}: results with a leak (first) and without it (second) on "
        "the same test images, learnt from equal numbers of images and of subjects of each class. "
        "For comparison the protocol gap, in which training and test sets of two protocols differ "
        "in other ways too. Values are means of the folds. In brackets: the interval at the "
        "simultaneous level of 95 % for all verdicts of the experiment, other splits and seeds "
        "included; without a verdict the 95 % interval for these trained networks."
    )
    write_table(pd.DataFrame(rows, columns=list(COLUMNS)), paths, caption, label)


def read_verdicts(path: str | os.PathLike) -> pd.DataFrame:
    """Read the rows of the primary metric that are about procedures.

    Args:
        path: ``leak_contrast.tsv`` or ``protocol_gap.tsv``.

    Raises:
        InputError: A column is missing.
    """
    table = read_table(path, ("view", "model", "metric", "difference", "outcome"), ("outcome",))
    return table[table["view"] == PROCEDURE].reset_index(drop=True)


def contrast_rows(path: str | os.PathLike, titles: Mapping) -> list[dict]:
    """Return one row per model and contrast.

    Args:
        path: ``leak_contrast.tsv``.
        titles: See :func:`tabulate_leak_contrast`.

    Returns:
        Dicts with the columns :data:`COLUMNS`.
    """
    rows = []
    for row in read_verdicts(path).to_dict("records"):
        cells = difference_cells(
            row, "higher with the leak", "higher without the leak", names=titles["model"]
        )
        compared = f"{titles['contrast'][row['contrast']]}: {LEAKED[row['leak']]}"
        rows.append(_row(LEAK, row, titles["model"], compared, cells))
    return rows


def gap_rows(path: str | os.PathLike | None, titles: Mapping) -> list[dict]:
    """Return one row per model and pair of protocols; see :func:`contrast_rows`."""
    if path is None:
        return []
    rows = []
    for row in read_verdicts(path).to_dict("records"):
        sides = [titles["protocol"][row[f"{side}_protocol"]] for side in ("first", "second")]
        higher = [f"higher under {side}" for side in sides]
        cells = difference_cells(row, *higher, what="gap", names=titles["protocol"])
        rows.append(_row(GAP, row, titles["model"], " against ".join(sides), cells))
    return rows


def _row(question: str, row: Mapping, models: Mapping, compared: str, cells: Mapping) -> dict:
    names = {"question": question, "model": row["model"], "model_title": models[row["model"]]}
    return names | {"compared": compared, "first": row["first"], "second": row["second"], **cells}
