"""Format adapters: which images a data set's folder holds, one row per image.

An adapter looks at names, sheets and headers; images are decoded later and once. To add a format,
write a module with ``list_images(root, settings)`` and enter it in ``FORMATS``.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.datasets.accounting import rule_words
from blastfold.datasets.formats import all_idb, c_nmc_2019, folder, pcam, photographs, tiles
from blastfold.datasets.formats.listing import Listing


class Format(NamedTuple):
    """How a format is read.

    Attributes:
        list_images: Lists the images of a folder, with their labels: the table of images, or a
            listing of all files.
        classes: Names of the classes in the order of the labels, unless the listing names them.
    """

    list_images: Callable[[Path, Mapping], pd.DataFrame | Listing]
    classes: tuple[str, ...] = LEUKAEMIA_CLASSES


FORMATS = {
    "all-idb1": Format(all_idb.list_pictures),
    "all-idb2": Format(all_idb.list_cells),
    "c-nmc-2019": Format(c_nmc_2019.list_images),
    "demo": Format(folder.list_demo),
    "folder": Format(folder.list_images),
    "pcam": Format(pcam.list_patches, pcam.CLASSES),
    "photographs": Format(photographs.list_photographs),
    "tiles": Format(tiles.list_tiles),
}


def list_records(format_name: str, path: str | os.PathLike, settings: Mapping) -> pd.DataFrame:
    """List the images of a data set without decoding them (see :func:`list_files`)."""
    return list_files(format_name, path, settings).records


def list_files(format_name: str, path: str | os.PathLike, settings: Mapping) -> Listing:
    """List the images of a data set without decoding them, and the files that are ignored.

    Args:
        format_name: A key of ``FORMATS``.
        path: The data set's folder, or a link to it.
        settings: The data set's entry in the config; each format reads some of ``crop``,
            ``sheet``, ``boxes``, ``pattern``, ``ignore``, ``conflicts``, ``classes``,
            ``own_classes`` (labels or folders are the classes), ``parts`` and ``detected``.

    Returns:
        Ignored files, what looks like a mistake, and the table of images. It has one row per
        image: image_id, file (relative to path), class (name), subject, picture, parent, part:
        text, empty where unknown; label: index of the class. Where the format has
        them: mask and photograph (files, relative to path), crop_x, crop_y, crop_width,
        crop_height (pixels in the file; width -1 for the whole image), row (index inside an HDF5
        file), problem (why the file cannot be used; empty when it can).

    Raises:
        InputError: The format is unknown, the folder does not exist or holds nothing, a class has
            no image, or two images have one image_id.
    """
    if format_name not in FORMATS:
        raise InputError(f"Unknown format '{format_name}'; expected one of {', '.join(FORMATS)}.")
    root = Path(path)
    if not root.is_dir():
        raise InputError(
            f"The data set folder '{path}' {'is a file' if root.exists() else 'does not exist'}. "
            "Put the images there, link them there, or correct the key 'path'. "
            "How to obtain each data set: resources/README.md"
        )
    list_images, classes = FORMATS[format_name]
    found = list_images(root, settings)
    listing = found if isinstance(found, Listing) else Listing(found)
    records = listing.records
    if records.empty:
        raise InputError(
            f"No image of format '{format_name}' was found in '{path}'{_left_out(listing)}. "
            "The expected layout is described in resources/README.md"
        )
    classes = listing.classes or classes
    records["class"] = np.array(classes, dtype=object)[records["label"]]
    usable = records[records["problem"] == ""] if "problem" in records else records
    _check_image_ids(usable, root)
    _check_classes(usable, records, root, classes)
    return listing


def row_reader(
    format_name: str, root: Path, records: pd.DataFrame, opened: contextlib.ExitStack
) -> Callable[[Path, int, int], np.ndarray]:
    """Return what reads images that are rows of a file.

    Args:
        format_name: A key of ``FORMATS``.
        root: The data set's folder.
        records: What :func:`list_records` returned.
        opened: Closes the files that stay open between reads.

    Returns:
        A function of path, first row and last row + 1 that returns uint8 (rows, h, w, 3).
    """
    if format_name == "tiles":
        # There may be many slides: an archive is open only while it is read.
        return tiles.read_tiles
    files = records["file"].unique() if "row" in records else ()
    patches = {
        root / file: opened.enter_context(h5py.File(root / file, "r", **pcam.CHUNK_CACHE))["x"]
        for file in files
    }
    return lambda path, start, stop: patches[path][start:stop]


def _left_out(listing: Listing) -> str:
    """Return the files that a listing without images ignores, by rule, for a message."""
    counts = Counter(map(rule_words, listing.ignored.values())).most_common()
    return f"; ignored: {', '.join(f'{number} {rule}' for rule, number in counts)}" * bool(counts)


def _check_image_ids(records: pd.DataFrame, root: Path) -> None:
    repeated = records[records["image_id"].duplicated(keep=False)]
    if repeated.empty:
        return
    image_id = repeated["image_id"].iloc[0]
    first, second = repeated.loc[repeated["image_id"] == image_id, "file"].iloc[:2]
    raise InputError(
        f"Two images in '{root}' have the image_id '{image_id}': '{first}' and '{second}'. "
        "Remove or rename one, or give each its own image_id in the sheet."
    )


def _check_classes(
    usable: pd.DataFrame, records: pd.DataFrame, root: Path, classes: Sequence[str]
) -> None:
    for class_name in classes:
        if (usable["class"] == class_name).any():
            continue
        refused = records.drop(usable.index)
        reason = ""
        if len(refused):
            first = refused.iloc[0]
            reason = (
                f" {len(refused)} files or images cannot be used, for instance '{first['file']}': "
                f"{first['problem']}."
            )
        raise InputError(
            f"'{root}': no image of the class {class_name!r} was found, {len(usable)} of other "
            f"classes. Expected images of each of {', '.join(classes)}.{reason}"
        )
