"""What the page of an application says of its detections where the leukocytes are known."""

import os
from collections.abc import Iterator, Mapping

import cv2
import numpy as np

from blastfold.core.detection_tables import FALSE, MISSED, outline_of
from blastfold.reporting.figures.detection import KINDS, read_errors
from blastfold.reporting.page.gallery import encode_jpeg
from blastfold.reporting.smears.words import counted, sentence
from blastfold.reporting.tables.detection import read_measures

MOST = 240
"""Errors on the page; of more the first ones."""

COLOUR = (213, 94, 0)
"""Vermillion of Okabe and Ito: what is marked in a picture."""


def truth_section(files: Mapping[str, str | os.PathLike]) -> dict | None:
    """Return recall, precision and every error with its picture.

    Args:
        files: Paths by name: measures, errors and error_pictures.

    Returns:
        None where nothing is known.

    Raises:
        InputError: A file is not as expected.
    """
    if "measures" not in files:
        return None
    measures, errors = read_measures(files["measures"]), read_errors(files["errors"])
    pictures = np.load(files["error_pictures"], mmap_mode="r")
    counts = errors["kind"].value_counts()
    judged = int(measures["photographs"].max())
    return {
        "photographs": counted(judged, "photograph"),
        "measures": [
            (name.capitalize(), *_words(row)) for name, row in measures.to_dict("index").items()
        ],
        "counts": f"{counted(int(counts.get(MISSED, 0)), 'missed leukocyte')} and "
        f"{counted(int(counts.get(FALSE, 0)), 'false detection')}.",
        "left_out": max(0, len(errors) - MOST),
        "errors": list(_errors(errors[:MOST].to_dict("records"), pictures)),
    }


def _words(row: Mapping) -> tuple[str, str, str]:
    """Return the value, the interval and the note of a measure."""
    percents = [f"{100 * row[key]:.1f} %" for key in ("value", "lower", "upper")]
    known, limited = not np.isnan(row["value"]), not np.isnan(row["lower"])
    interval = f"{percents[1]} to {percents[2]}" if limited else ""
    return percents[0] if known else "undefined", interval, sentence(row["note"])


def _errors(errors: list[dict], pictures: np.ndarray) -> Iterator[dict]:
    for error, picture in zip(errors, pictures, strict=False):
        yield {
            "kind": KINDS[error["kind"]],
            "photograph": error["photograph"],
            "picture": encode_jpeg(marked(np.array(picture), error)),
        }


def marked(picture: np.ndarray, error: Mapping) -> np.ndarray:
    """Draw the outline of a false detection, or the box of a missed leukocyte.

    Args:
        picture: uint8 (side, side, 3), RGB; changed in place.
        error: Its row of the table of errors.
    """
    points = outline_of(error["outline"])
    if len(points) < 3:
        left, top = error["left"], error["top"]
        right, bottom = left + error["width"], top + error["height"]
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    corner = np.array([error["shown_left"], error["shown_top"]])
    places = np.round((points - corner) * len(picture) / error["shown_side"]).astype(np.int32)
    for colour, width in (((255, 255, 255), 4), (COLOUR, 2)):
        cv2.polylines(picture, [places], True, colour, width, cv2.LINE_AA)
    return picture
