"""PatchCamelyon as distributed: HDF5 files of patches and of labels (Veeling et al., 2018)."""

import csv
import math
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import h5py
import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.core.raw_files import find_files, refuse_special
from blastfold.datasets.formats.hdf5 import opened_hdf5, stored_array

PARTS = ("train", "valid", "test")
CLASSES = ("normal", "tumor")
"""Names of the labels 0 and 1."""

MAX_PATCHES = 2**26
MAX_PATCH_PIXELS = 512 * 512
"""What a file may claim: patches (67 million; there are 327,680) and pixels of a patch (there are
96 x 96)."""

CHUNK_CACHE = {"rdcc_nbytes": 128 * 2**20, "rdcc_nslots": 20011}
"""For reading in order: a cache that holds a chunk of several thousand patches."""

_NAME = re.compile(r"camelyonpatch_level_2_split_(train|valid|test)_(x\.h5|y\.h5|meta\.csv)(\.gz)?")


def list_patches(root: Path, settings: Mapping) -> pd.DataFrame:
    """List the patches of all parts (see :func:`blastfold.datasets.formats.list_records`).

    Labels are read, patches are not. Where the official ``meta.csv`` is in the same folder,
    its whole-slide image becomes the picture.

    Args:
        root: The data set's folder.
        settings: ``parts`` chooses among train, valid and test (default all).

    Returns:
        The table of patches with ``row``.

    Raises:
        InputError: A file is still compressed, lacks its partner or is not as published.
    """
    files = {}
    for file in find_files(root):
        match = _NAME.fullmatch(PurePosixPath(file).name)
        if match:
            files.setdefault((match[1], match[2]), {})[bool(match[3])] = file
    chosen = list(settings.get("parts") or PARTS)
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        raise InputError(f"Key 'parts': unknown {unknown}; expected some of {', '.join(PARTS)}.")
    parts = [part for part in PARTS if part in chosen and (part, "x.h5") in files]
    if not parts:
        return pd.DataFrame()
    return pd.concat([_list_part(root, part, files) for part in parts], ignore_index=True)


def _list_part(root: Path, part: str, files: dict) -> pd.DataFrame:
    patches = _plain_file(root, part, "x.h5", files)
    labels = _read_labels(root / _plain_file(root, part, "y.h5", files))
    with opened_hdf5(root / patches) as source:
        _check_patches(root / patches, source, len(labels))
    slides = [""] * len(labels)
    if False in files.get((part, "meta.csv"), {}):
        slides = read_slides(root / files[part, "meta.csv"][False], len(labels))
    return pd.DataFrame(
        {
            "image_id": [f"{part}-{row:06d}" for row in range(len(labels))],
            "file": patches,
            "subject": "",
            "picture": slides,
            "parent": "",
            "part": part,
            "label": labels,
            "row": np.arange(len(labels)),
        }
    )


def _plain_file(root: Path, part: str, ending: str, files: dict) -> str:
    found = files.get((part, ending), {})
    name = f"camelyonpatch_level_2_split_{part}_{ending}"
    if False in found:
        return found[False]
    if True in found:
        raise InputError(f"'{root / found[True]}' is compressed; unpack it with gunzip.")
    raise InputError(f"'{root}' lacks {name}, the labels of the patches that are there.")


def _read_labels(path: Path) -> np.ndarray:
    with opened_hdf5(path) as source:
        stored = stored_array(path, source, "y")
        if stored.dtype.kind not in "iub" or stored.size > MAX_PATCHES:
            raise InputError(
                f"'{path}': 'y' is {stored.dtype} of shape {stored.shape}; expected one whole "
                "number per patch."
            )
        labels = stored[:].reshape(-1)
    if not np.isin(labels, (0, 1)).all():
        raise InputError(f"'{path}' holds the labels {np.unique(labels)[:5]}; expected 0 and 1.")
    return labels.astype(np.int64)


def _check_patches(path: Path, source: h5py.File, count: int) -> None:
    patches = stored_array(path, source, "x")
    if (
        patches.ndim != 4
        or patches.shape[3] != 3
        or patches.dtype != np.uint8
        or not 0 < math.prod(patches.shape[1:3]) <= MAX_PATCH_PIXELS
    ):
        raise InputError(
            f"'{path}': 'x' is {patches.dtype} of shape {patches.shape}; expected uint8 (patches, "
            f"height, width, 3) with at most {MAX_PATCH_PIXELS} pixels per patch."
        )
    if len(patches) != count:
        raise InputError(f"'{path}' holds {len(patches)} patches, but there are {count} labels.")


def read_slides(path: Path, count: int) -> list[str]:
    """Read the whole-slide image of every patch.

    Args:
        path: The official ``meta.csv``.
        count: Number of patches.

    Returns:
        Names of the slides, in the order of the patches.

    Raises:
        InputError: The file is no table, or has another number of rows.
    """
    refuse_special(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"'{path}' cannot be read as a table: {error}.") from error
    if len(rows) != count or not all(row.get("wsi") is not None for row in rows):
        raise InputError(
            f"'{path}' must have a column 'wsi' and {count} rows; it has {len(rows)} rows and "
            f"the columns {list(rows[0]) if rows else []}."
        )
    return [row["wsi"] for row in rows]
