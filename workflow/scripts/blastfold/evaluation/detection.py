"""Detected leukocytes compared with known ones: recall, precision, and pictures of every error."""

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from blastfold.cells.sources import opened
from blastfold.cells.tables import read_cells, read_photographs
from blastfold.core.detection_tables import (
    ERROR_COLUMNS,
    FALSE,
    JUDGED_COLUMNS,
    MEASURE_COLUMNS,
    MISSED,
    PRECISION,
    RECALL,
)
from blastfold.core.files import written_whole
from blastfold.core.names import LEUKOCYTES
from blastfold.core.noted_tables import write_noted
from blastfold.core.notes import join_notes, make_note
from blastfold.core.tables import read_table, write_table
from blastfold.datasets.formats.folder import DEMO_SHEET, Source
from blastfold.datasets.formats.photographs import Known, known_cells
from blastfold.slides.reading import Slide
from blastfold.slides.streaming import stream_boxes
from blastfold.statistics.detection import share_over_photographs

SIDE = 160
"""Pixels of the picture of an error."""

AROUND = 3.0
"""Diameters of a red cell that the picture of an error shows at least, across and down."""

MARGIN = 1.4
"""And at least so many times the longer side of the cell."""

BEYOND = 225
"""Grey level of a picture beyond the edge of its photograph."""

logger = logging.getLogger(__name__)


def judge_cells(
    cells: str | os.PathLike,
    photographs: str | os.PathLike,
    folder: str | os.PathLike,
    settings: Mapping,
    outputs: Mapping[str, str | os.PathLike],
) -> None:
    """Compare the detected cells of photographs with boxes, positions or generated cells.

    Args:
        cells: ``cells.tsv`` of the detector.
        photographs: ``photographs.tsv`` of the detector.
        folder: The photographs.
        settings: ``boxes`` or ``sheet`` with ``ignore`` and ``classes``, as for a data set of the
            format photographs; ``generated`` for the folder of a generated data set.
        outputs: Paths by name: judged (one row per photograph), measures (recall and precision),
            errors (one row per miss and false detection) and pictures (uint8 (n, SIDE, SIDE, 3),
            the errors).

    Raises:
        InputError: Boxes or sheet are not as expected.
    """
    root = Path(folder)
    known = generated_cells(root) if settings.get("generated") else _known(root, settings)
    detected, files = read_cells(cells), read_photographs(photographs)
    found = detected[detected["set_aside"].isin(LEUKOCYTES)]
    judged, errors = compare_photographs(found, files, known)
    write_table(judged, outputs["judged"])
    write_noted(measure(judged), outputs["measures"])
    pictures = list(error_pictures(root, files, errors))
    kept = np.stack(pictures) if pictures else np.zeros((0, SIDE, SIDE, 3), np.uint8)
    with written_whole(outputs["pictures"]) as part, part.open("wb") as stream:
        np.save(stream, kept)
    write_table(errors, outputs["errors"])
    logger.info(
        "%d known leukocytes in %d photographs: %d found, %d missed, %d false detections",
        *(judged["known"].sum(), len(judged), judged["found"].sum()),
        *(judged[MISSED].sum(), judged[FALSE].sum()),
    )


def _known(root: Path, settings: Mapping) -> dict[str, Known]:
    """Return the known cells of the photographs of which all cells are known."""
    known, _ = known_cells(Source(root, settings), settings)
    boxed = bool(settings.get("boxes"))
    return {
        file: one for file, one in known.items() if boxed or (len(one.places) and not one.detected)
    }


def generated_cells(root: Path) -> dict[str, Known]:
    """Return the known cells of a generated data set."""
    rows = read_table(
        root / DEMO_SHEET, ("picture", "x", "y", "duplicate_of"), ("picture", "duplicate_of")
    )
    drawn = rows[rows["duplicate_of"] == ""]
    return {
        f"photographs/{picture}.png": Known(
            None, some[["x", "y"]].to_numpy(float), (0,) * len(some)
        )
        for picture, some in drawn.groupby("picture")
    }


def compare_photographs(
    found: pd.DataFrame, files: pd.DataFrame, known: Mapping[str, Known]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the leukocytes of every photograph with the known ones.

    Args:
        found: Detected leukocytes.
        files: The photographs.
        known: What is known of them; others are left out.

    Returns:
        One row per photograph, and one per error. A photograph that could not be used has all of
        its leukocytes missed.
    """
    by_file = dict(iter(found.groupby("photograph")))
    judged, errors = [], []
    for row in files[files["photograph"].isin(known)].to_dict("records"):
        cells = by_file.get(row["photograph"], found[:0])
        truth = known[row["photograph"]]
        places = truth.leukocytes
        usable = not row["problem"]
        compared = truth._replace(places=places).compare(
            cells[["x", "y"]].to_numpy(float), row["red_cell_diameter"] if usable else 0.0
        )
        counts = len(places), len(compared.found), len(compared.missed), len(compared.false)
        judged.append((row["photograph"], *counts, row["problem"]))
        if usable:
            errors += list(_missed(row, places[compared.missed]))
            errors += list(_false(row, cells.iloc[compared.false]))
    return (
        pd.DataFrame(judged, columns=list(JUDGED_COLUMNS)),
        pd.DataFrame(errors, columns=list(ERROR_COLUMNS)),
    )


def _missed(row: Mapping, places: np.ndarray) -> Iterator[tuple]:
    for place in places.tolist():
        if len(place) == 4:
            left, top, width, height = place
        else:
            width = height = row["red_cell_diameter"]
            left, top = place[0] - width / 2, place[1] - height / 2
        yield _error(MISSED, row, (left, top, width, height), "")


def _false(row: Mapping, cells: pd.DataFrame) -> Iterator[tuple]:
    for cell in cells.to_dict("records"):
        box = tuple(cell[key] for key in ("left", "top", "width", "height"))
        yield _error(FALSE, row, box, cell["outline"])


def _error(kind: str, row: Mapping, box: tuple, outline: str) -> tuple:
    """Return the row of an error, with the square that its picture shows."""
    left, top, width, height = box
    side = round(max(AROUND * row["red_cell_diameter"], MARGIN * max(width, height)))
    shown = round(left + (width - side) / 2), round(top + (height - side) / 2), side
    return kind, row["photograph"], *(round(length, 1) for length in box), *shown, outline


def measure(judged: pd.DataFrame) -> pd.DataFrame:
    """Return recall and precision with intervals over photographs."""
    rows = []
    for name, whole, missing in (
        (RECALL, judged["found"] + judged[MISSED], make_note("no_known_leukocyte")),
        (PRECISION, judged["found"] + judged[FALSE], make_note("no_detected_leukocyte")),
    ):
        share = share_over_photographs(judged["found"].to_numpy(), whole.to_numpy())
        note = join_notes("" if whole.sum() else missing, share.note)
        rows.append((name, *share[:3], int(whole.sum()), len(judged), note))
    return pd.DataFrame(rows, columns=list(MEASURE_COLUMNS))


def error_pictures(root: Path, files: pd.DataFrame, errors: pd.DataFrame) -> Iterator[np.ndarray]:
    """Yield the picture of every error, uint8 (SIDE, SIDE, 3); grey beyond the photograph."""
    for file, some in errors.groupby("photograph", sort=False):
        boxes = some[["shown_left", "shown_top", "shown_side", "shown_side"]].to_numpy(int)
        for picture in _squares(root / file, boxes):
            yield cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _squares(path: Path, boxes: np.ndarray) -> Iterator[np.ndarray]:
    with opened(path) as source:
        if isinstance(source, Slide):
            read = dict(stream_boxes(source.levels[0], boxes, np.copy, 1, True))
            nothing = np.full((SIDE, SIDE, 3), BEYOND, np.uint8)
            yield from (nothing if read[n] is None else read[n] for n in range(len(boxes)))
            return
        height, width = source.shape[:2]
        for left, top, side, _ in boxes.tolist():
            picture = np.full((side, side, 3), BEYOND, np.uint8)
            rows = slice(max(top, 0), min(top + side, height))
            columns = slice(max(left, 0), min(left + side, width))
            picture[
                rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
            ] = source[rows, columns]
            yield picture
