"""Tiles of slides, as rule ``tile_slide`` stores them: one archive and one table per slide."""

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.tables import read_text_table
from blastfold.datasets.formats.common import class_labels, records_table
from blastfold.datasets.formats.folder import DEFAULT_CLASSES

CLASSES = {
    "normal": DEFAULT_CLASSES["normal"],
    "blast": (*DEFAULT_CLASSES["blast"], "tumor", "tumour", "cancer"),
}
LISTED = ("x", "y", "label", "row")


def list_tiles(root: Path, settings: Mapping) -> pd.DataFrame:
    """List the kept tiles of slides (see :func:`blastfold.datasets.formats.list_records`).

    Args:
        root: Folder with one sub-folder per slide, each with ``tiles.h5`` and ``tiles.tsv``.
        settings: ``slides``: slide -> its ``subject`` and ``picture``. ``classes``: the source's
            names of the classes.

    Returns:
        The table of tiles with ``row`` and ``problem``; the image_id is
        ``<slide>-x<x>-y<y>``, in pixels of level 0. A slide that was excluded, and the
        tiles of a slide without a label, are one row with a problem.

    Raises:
        InputError: A label is not a class.
    """
    labels = class_labels(settings.get("classes"), CLASSES)
    records = []
    for slide, facts in settings.get("slides", {}).items():
        records += _list_slide(root, slide, facts, labels)
    return records_table(records, problem="", row=-1)


def read_tiles(path: Path, start: int, stop: int) -> np.ndarray:
    """Read consecutive tiles of an archive.

    Args:
        path: ``tiles.h5``.
        start: First row.
        stop: Last row + 1.

    Returns:
        uint8 (stop - start, h, w, 3), RGB.

    Raises:
        OSError: The archive is damaged.
    """
    with h5py.File(path, "r") as archive:
        return archive["tiles"][start:stop]


def _list_slide(root: Path, slide: str, facts: Mapping, labels: Mapping[str, int]) -> list[dict]:
    file = f"{slide}/tiles.h5"
    with h5py.File(root / file, "r") as archive:
        excluded = archive["tiles"].attrs["excluded"]
    if excluded:
        return [{"file": file, "label": 0, "problem": excluded}]
    table = read_text_table(root / slide / "tiles.tsv", ("kept", *LISTED))
    table = table[table["kept"] == "1"][list(LISTED)].astype({"row": int}).sort_values("row")
    records = []
    for x, y, label, row in table.itertuples(index=False):
        if not label:
            continue
        if label.casefold() not in labels:
            raise InputError(
                f"slide '{slide}': the label {label!r} of the sheet or of a region is not a class; "
                f"expected one of {', '.join(labels)}, or enter it under the key 'classes'."
            )
        records.append(
            {
                "image_id": f"{slide}-x{x}-y{y}",
                "file": file,
                "subject": facts["subject"],
                "picture": facts["picture"],
                "label": labels[label.casefold()],
                "row": row,
            }
        )
    unlabelled = len(table) - len(records)
    if unlabelled:
        problem = f"{unlabelled} tiles are in no region, and the slide has no label"
        records.append({"file": file, "label": 0, "problem": problem})
    return records
