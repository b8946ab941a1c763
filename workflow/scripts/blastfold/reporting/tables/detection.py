"""The table of detected leukocytes: recall and precision, and every photograph with an error."""

import os
from collections.abc import Iterable

import pandas as pd

from blastfold.core.detection_tables import (
    FALSE,
    JUDGED_COLUMNS,
    MEASURE_COLUMNS,
    MISSED,
    PRECISION,
    RECALL,
)
from blastfold.core.tables import read_table
from blastfold.reporting.notes import sentences
from blastfold.reporting.tables.writing import write_both

ALL = "all photographs"
"""The name of the row of all photographs."""


def tabulate_detection(
    judged: str | os.PathLike,
    measures: str | os.PathLike,
    title: str,
    label: str,
    paths: Iterable[str | os.PathLike],
) -> None:
    """Write the table of one data set or application.

    Args:
        judged: One row per photograph.
        measures: Recall and precision.
        title: Title of the photographs.
        label: End of the LaTeX label.
        paths: Tables to write. The TSV has every photograph, the others those with an error.
    """
    table = detection_table(read_judged(judged), read_measures(measures))
    wrong = (table["photograph"] == ALL) | (table[MISSED] > 0) | (table[FALSE] > 0)
    caption = (
        f"Leukocytes detected in the photographs of {title}, compared with the known ones: all "
        "photographs, and each one with an error. A detection is right if its middle is in the box "
        "of a known leukocyte, or near its position. A second detection of one leukocyte is false. "
        "Cells cut by the edge count as leukocytes. In brackets: 95 % interval over photographs."
    )
    write_both(table, table[wrong], paths, caption, f"tab:detection-{label}")


def read_judged(path: str | os.PathLike) -> pd.DataFrame:
    """Read the table of judged photographs.

    Raises:
        InputError: It is not as expected.
    """
    return read_table(path, JUDGED_COLUMNS, ("photograph", "problem"))


def read_measures(path: str | os.PathLike) -> pd.DataFrame:
    """Read recall and precision, by their name.

    Raises:
        InputError: The file is not as expected.
    """
    return read_table(path, MEASURE_COLUMNS, ("measure", "note")).set_index("measure")


def detection_table(judged: pd.DataFrame, measures: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all photographs and of each one.

    A photograph has no interval, and no recall or precision without a leukocyte.
    """
    total = judged[["known", "found", MISSED, FALSE]].sum()
    whole = {"photograph": ALL, **total.to_dict()}
    for name in (RECALL, PRECISION):
        ends = measures.loc[name]
        whole |= {name: ends["value"], f"{name}_lower": ends["lower"]}
        whole |= {f"{name}_upper": ends["upper"]}
    notes = dict.fromkeys(sentences(note) for note in measures["note"] if note)
    rows = [whole | {"note": "; ".join(notes)}]
    for row in judged.to_dict("records"):
        single = {key: row[key] for key in whole if key in row}
        single |= {RECALL: _share(row["found"], row["known"])}
        single |= {PRECISION: _share(row["found"], row["found"] + row[FALSE])}
        rows.append(single | {"note": _note(row)})
    return pd.DataFrame(rows, columns=list(rows[0]))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _note(row: dict) -> str:
    """Return why a photograph lacks a share or an interval."""
    if row["problem"]:
        return f"not usable: {row['problem']}"
    lacks = [] if row["known"] else ["no known leukocyte"]
    lacks += [] if row["found"] + row[FALSE] else ["no detected leukocyte"]
    return ", ".join(lacks) or "one photograph has no interval"
