"""Tiles of slides, as rule ``tile_slide`` stores them: one archive and one table per slide."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import numpy as np

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.core.tables import read_text_table
from blastfold.datasets.formats.common import classes_of, named_classes, records_table
from blastfold.datasets.formats.folder import DEFAULT_CLASSES
from blastfold.datasets.formats.hdf5 import opened_hdf5
from blastfold.datasets.formats.listing import Listing

POSITIVE = LEUKAEMIA_CLASSES[-1]
CLASSES = DEFAULT_CLASSES | {POSITIVE: (*DEFAULT_CLASSES[POSITIVE], "tumor", "tumour", "cancer")}
PLACE = ["x", "y", "width", "height"]


def list_tiles(root: Path, settings: Mapping) -> Listing:
    """List the kept tiles of slides (see :func:`blastfold.datasets.formats.list_records`).

    Args:
        root: Folder with one sub-folder per slide, each with ``tiles.h5`` and ``tiles.tsv``.
        settings: ``slides``: slide -> its ``subject``, ``picture`` and ``label``, and its
            ``regions`` (label, x, y, width, height in pixels of level 0). ``classes``: the source's
            names of the classes. ``own_classes``: the labels of slides and regions are the classes.

    Returns:
        The table of tiles with ``row`` and ``problem``; the image_id is
        ``<slide>-x<x>-y<y>``, in pixels of level 0. A slide that was excluded, and the
        tiles of a slide without a label, are one row with a problem.

    Raises:
        InputError: A label is not a class, or regions of different labels overlap.
    """
    slides = settings.get("slides", {})
    if settings.get("own_classes"):
        labels = [facts["label"] for facts in slides.values()]
        regions = [region for facts in slides.values() for region in facts.get("regions", ())]
        classes = classes_of([*labels, *(region["label"] for region in regions)], root)
    else:
        classes = named_classes(settings.get("classes"), CLASSES)
    records = []
    for slide, facts in slides.items():
        records += _list_slide(root, slide, facts, classes.labels)
    return Listing(records_table(records, problem="", row=-1), classes=classes.names)


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
    with opened_hdf5(root / file) as archive:
        excluded = archive["tiles"].attrs["excluded"]
    if excluded:
        return [{"file": file, "label": 0, "problem": excluded}]
    table = read_text_table(root / slide / "tiles.tsv", (*PLACE, "kept", "row"))
    table = table[table["kept"] == "1"][[*PLACE, "row"]].astype(int).sort_values("row")
    try:
        names = label_tiles(table[PLACE].to_numpy(), facts["label"], facts.get("regions", ()))
    except InputError as error:
        raise InputError(f"slide '{slide}': {error}") from None
    records = []
    for x, y, label, row in zip(table["x"], table["y"], names, table["row"], strict=True):
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


def label_tiles(places: np.ndarray, label: str, regions: Sequence[Mapping]) -> np.ndarray:
    """Give every tile the label of the region that contains its centre, or that of the slide.

    Args:
        places: int (n, 4): x, y, width, height in pixels of level 0.
        label: The slide's label.
        regions: label, x, y, width, height of each region.

    Returns:
        Text (n,).

    Raises:
        InputError: A tile's centre is in regions of different labels.
    """
    labels = np.full(len(places), label, dtype=object)
    taken = np.zeros(len(places), dtype=bool)
    centre_x, centre_y = places[:, 0] + places[:, 2] / 2, places[:, 1] + places[:, 3] / 2
    for region in regions:
        inside = (centre_x >= region["x"]) & (centre_x < region["x"] + region["width"])
        inside &= (centre_y >= region["y"]) & (centre_y < region["y"] + region["height"])
        torn = inside & taken & (labels != region["label"])
        if torn.any():
            x, y = places[torn][0, :2]
            raise InputError(
                f"the tile at x {x}, y {y} is in regions of the labels "
                f"'{labels[torn][0]}' and '{region['label']}'; correct the table of regions."
            )
        labels[inside] = region["label"]
        taken |= inside
    return labels
