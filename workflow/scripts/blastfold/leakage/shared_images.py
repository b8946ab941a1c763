"""Images that two data sets share: equal files, and duplicates of any kind."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd

from blastfold.core.manifest import read_manifest
from blastfold.core.tables import write_table
from blastfold.leakage.duplicate_images import REFERENCE_SIZE
from blastfold.leakage.duplicates import DuplicateSettings, find_duplicates
from blastfold.leakage.identity import SAME_FILE

logger = logging.getLogger(__name__)

PAIRS = ["learnt", "tested", "kind", "similarity"]


def compare_datasets(
    learnt: Mapping[str, str | os.PathLike],
    tested: Mapping[str, str | os.PathLike],
    pairs: str | os.PathLike,
    settings: Mapping[str, float],
    threads: int = 1,
) -> None:
    """Write which images of two data sets are the same or show the same cell.

    Args:
        learnt: Paths ``images`` and ``manifest`` of the data set that is learnt from.
        tested: The same of the data set that is tested on.
        pairs: Output: learnt and tested (image ids), kind (SAME_FILE or a kind of duplicates) and
            similarity.
        settings: Values of :class:`blastfold.leakage.duplicates.DuplicateSettings` by name.
        threads: Worker threads.
    """
    manifests = [read_manifest(dataset["manifest"]) for dataset in (learnt, tested)]
    found = _same_files(*manifests)
    stores = [np.load(dataset["images"], mmap_mode="r") for dataset in (learnt, tested)]
    images = _in_one_array(stores, threads)
    names = [f"{side}{row}" for side, store in enumerate(stores) for row in range(len(store))]
    near = find_duplicates(images, names, DuplicateSettings(**settings), threads)
    # The order of the names is that of the rows: the first image of a pair is never the later one.
    near = near[near["first"].str.startswith("0") & near["second"].str.startswith("1")]
    rows = [near[column].str[1:].astype(int) for column in ("first", "second")]
    ids = [
        manifest["image_id"].to_numpy(dtype=object)[row]
        for manifest, row in zip(manifests, rows, strict=True)
    ]
    near = pd.DataFrame(dict(zip(PAIRS, (*ids, near["kind"], near["similarity"]), strict=True)))
    logger.info("%d pairs of equal files, %d pairs of duplicates", len(found), len(near))
    table = pd.concat([found, near]).drop_duplicates(["learnt", "tested"])
    write_table(table.sort_values(["tested", "learnt"], kind="stable"), pairs)


def _same_files(learnt: pd.DataFrame, tested: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs of images that were read from files of equal content."""
    sides = [
        manifest.loc[manifest["sha256"] != "", ["image_id", "sha256", "file"]]
        for manifest in (learnt, tested)
    ]
    # Several images of one file (boxes of a photograph) are the same where their names are. Files
    # with one image each are the same whatever they are called, and however many copies there are.
    sides = [
        side.assign(cut=side.duplicated(["file", "sha256"], keep=False).to_numpy())
        for side in sides
    ]
    both = sides[0].merge(sides[1], on="sha256", suffixes=("", "_tested"))
    cut = both["cut"] | both["cut_tested"]
    both = both[~cut | (both["image_id"] == both["image_id_tested"])]
    columns = (both["image_id"], both["image_id_tested"])
    return pd.DataFrame(dict(zip(PAIRS, (*columns, SAME_FILE, 1.0), strict=True)))


def _in_one_array(stores: Sequence[np.ndarray], threads: int) -> np.ndarray:
    """Return the images of both stores at one size, which is at most that of the audit."""
    size = min(REFERENCE_SIZE, *(max(store.shape[1:3]) for store in stores))
    joined = np.zeros((sum(map(len, stores)), size, size, 3), np.uint8)

    def shrink(place: int, store: np.ndarray, row: int) -> None:
        image = np.ascontiguousarray(store[row])
        scale = size / max(image.shape[:2])
        height, width = (max(1, round(side * scale)) for side in image.shape[:2])
        # A shape that is not square leaves black below or at the right, which the audit leaves out.
        joined[place, :height, :width] = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA
        )

    with ThreadPoolExecutor(max(1, threads)) as workers:
        tasks = [(store, row) for store in stores for row in range(len(store))]
        list(workers.map(lambda task: shrink(task[0], *task[1]), enumerate(tasks)))
    return joined
