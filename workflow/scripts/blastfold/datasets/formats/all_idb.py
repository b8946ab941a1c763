"""ALL-IDB1 and ALL-IDB2 (Donida Labati, Piuri and Scotti, ICIP 2011).

ALL-IDB2 holds one cell per image, ALL-IDB1 whole photographs with the centroids of the blasts
in ``.xyc`` files. In both the label follows the underscore: ``Im001_1`` shows blasts,
``Im034_0`` does not. Neither names its subjects.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import plain_name
from blastfold.core.raw_files import find_files, refuse_special
from blastfold.datasets.formats.common import is_image, records_table

MAX_SHEET = 2**20
"""Bytes of a file of centroids; the published ones have some hundred."""

FARTHEST = 10**6
"""Pixels; no photograph is as wide or high."""

_NAME = re.compile(r"Im(\d+)_([01])", re.IGNORECASE)

logger = logging.getLogger(__name__)


def list_cells(root: Path, settings: Mapping) -> pd.DataFrame:
    """List ALL-IDB2's cell images (see :func:`blastfold.datasets.formats.list_records`).

    Args:
        root: The data set's folder.
        settings: Not used.

    Returns:
        The table of images with ``problem``.
    """
    return records_table(_pictures(find_files(root), other="allidb1"), problem="")


def list_pictures(root: Path, settings: Mapping) -> pd.DataFrame:
    """List ALL-IDB1's cells, or its whole photographs when ``crop`` is not set.

    With ``crop`` a photograph gives one image around every centroid of its ``.xyc`` file. A
    photograph without blasts has an empty one and gives its centre, which may show red cells
    only, unless centroids of normal leukocytes are added to that file.

    Args:
        root: The data set's folder.
        settings: ``crop``, the (height, width) of the box around a cell, pixels, or None.

    Returns:
        The table of images with ``problem`` and the crop box.

    Raises:
        InputError: A centroid file does not hold pairs of numbers.
    """
    files = find_files(root)
    pictures = list(_pictures(files, other="allidb2"))
    for record in pictures:
        record["picture"] = record["image_id"]
    if settings.get("crop") is not None:
        pictures = list(_cells_of(root, files, pictures, settings["crop"]))
    whole = dict.fromkeys(("crop_x", "crop_y", "crop_width", "crop_height"), -1)
    return records_table(pictures, problem="", **whole)


def _pictures(files: list[str], other: str) -> Iterator[dict]:
    for file in filter(is_image, files):
        name = PurePosixPath(file)
        folders = {plain_name(part) for part in name.parts[:-1]}
        if other in folders:
            continue
        record = {"image_id": name.stem, "file": file, "label": 0}
        match = _NAME.fullmatch(name.stem)
        if match is None:
            yield {**record, "problem": f"the name '{name.stem}' is not Im<number>_<0|1>"}
        else:
            yield {**record, "label": int(match[2])}


def _cells_of(
    root: Path, files: list[str], pictures: list[dict], crop: tuple[int, int]
) -> Iterator[dict]:
    sheets = {
        PurePosixPath(file).stem.lower(): file for file in files if file.lower().endswith(".xyc")
    }
    centres_only = 0
    for record in pictures:
        sheet = sheets.get(record["image_id"].lower())
        centroids = read_centroids(root / sheet) if sheet else []
        for number, (x, y) in enumerate(centroids, start=1):
            yield {
                **record,
                "image_id": f"{record['image_id']}_cell{number:02d}",
                "crop_x": x - crop[1] // 2,
                "crop_y": y - crop[0] // 2,
                "crop_width": crop[1],
                "crop_height": crop[0],
            }
        if not centroids and (record["label"] == 0 or record.get("problem")):
            centres_only += not record.get("problem")
            yield record
        elif not centroids:
            yield {**record, "problem": f"no centroid: {sheet or record['image_id'] + '.xyc'}"}
    if centres_only:
        logger.warning(
            "%d photographs without centroids give their centre as a normal image, which may "
            "show red cells only; add centroids of leukocytes to their .xyc files.",
            centres_only,
        )


def read_centroids(sheet: Path) -> list[tuple[int, int]]:
    """Read the centroids of a ``.xyc`` file.

    Args:
        sheet: The file: x and y, pixels, separated by white space; empty without blasts.

    Returns:
        The (x, y) pairs, rounded to whole pixels.

    Raises:
        InputError: The file cannot be read, something is not a number or no place in a
            photograph, or the numbers do not make pairs.
    """
    refuse_special(sheet)
    try:
        if sheet.stat().st_size > MAX_SHEET:
            raise InputError(f"'{sheet}' has more than {MAX_SHEET} bytes.")
        text = sheet.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise InputError(f"'{sheet}' cannot be read: {error.strerror}.") from error
    words = text.replace(",", " ").split()
    try:
        numbers = [round(float(word)) for word in words]
    except (ValueError, OverflowError):
        shown = [word[:20] for word in words[:6]]
        raise InputError(f"'{sheet}' holds {shown}; expected pairs of numbers x y.") from None
    far = [number for number in numbers if abs(number) > FARTHEST]
    if far:
        raise InputError(
            f"'{sheet}' holds {far[0]:.3g}; expected pixels of the photograph, at most {FARTHEST}."
        )
    if len(numbers) % 2:
        raise InputError(f"'{sheet}' holds {len(numbers)} numbers; expected pairs x y.")
    return list(zip(numbers[::2], numbers[1::2], strict=True))
