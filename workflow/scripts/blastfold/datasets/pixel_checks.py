"""What the pixels of imported images show: masks among the cells, and one image with two labels."""

import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from blastfold.core.errors import InputError
from blastfold.datasets.accounting import shorten
from blastfold.datasets.formats.listing import Listing

MASK, ONE_COLOUR = "masks", "one_colour"
"""What an image may look like in place of a cell; also the codes of the summary."""

MASK_COLOURS = 8
"""A mask has at most so many colours."""

SAMPLES = 16
"""Rows and columns that are looked at first."""

GREY_TOLERANCE = 12
LEAST_CONTRAST = 64
SHARE_AT_ENDS = 0.98
"""A mask that was saved as JPEG: grey, with nearly all pixels near the darkest or the brightest."""

_SEPARATORS = "_-. "


def what_it_shows(picture: np.ndarray) -> str:
    """Return whether an image looks like a mask or has one colour.

    Args:
        picture: uint8 (height, width, 3), as decoded.

    Returns:
        ``masks``, ``one_colour``, or an empty text for any other image.
    """
    height, width = picture.shape[:2]
    steps = max(1, height // SAMPLES), max(1, width // SAMPLES)
    # Nearly every photograph has more colours than a mask in its first few pixels.
    if not (found := _shown_by(picture[:: steps[0], :: steps[1]])):
        return ""
    return found if steps == (1, 1) else _shown_by(picture)


def _shown_by(pixels: np.ndarray) -> str:
    values = pixels.reshape(-1, 3).astype(np.int32)
    colours = len(np.unique(values @ np.array([1 << 16, 1 << 8, 1], np.int32)))
    if colours <= MASK_COLOURS:
        return MASK if colours > 1 else ONE_COLOUR
    if np.ptp(values, axis=1).max() > GREY_TOLERANCE:
        return ""
    grey = values[:, 1]
    lowest, highest = grey.min(), grey.max()
    ends = (grey - lowest <= GREY_TOLERANCE) | (highest - grey <= GREY_TOLERANCE)
    two_levels = highest - lowest >= LEAST_CONTRAST and ends.mean() >= SHARE_AT_ENDS
    return MASK if two_levels else ""


def pixel_code(image: np.ndarray) -> int:
    """Return a number that equal images share; different images seldom do."""
    return zlib.crc32(np.ascontiguousarray(image))


def note_masks(listing: Listing, kept: pd.DataFrame, shown: Sequence[str]) -> None:
    """Note imported images that look like masks, with the globs that leave them out.

    Args:
        listing: Gets the notes.
        kept: The imported images, column file.
        shown: What :func:`what_it_shows` returned, by row of ``kept``.
    """
    shown = np.asarray(shown, dtype=object)
    masks = kept.loc[shown == MASK, "file"].to_list()
    if masks:
        others = set(kept.loc[shown != MASK, "file"])
        globs = ", ".join(f"'{glob}'" for glob in ignoring_globs(masks, others))
        listing.doubt("masks", images=len(masks), globs=globs)
    blank = kept.loc[shown == ONE_COLOUR, "file"].to_list()
    if blank:
        listing.doubt("one_colour", images=len(blank), example=blank[0])


def ignoring_globs(masks: Sequence[str], others: set[str]) -> list[str]:
    """Return globs that leave out some files and none of the others.

    A mask is named after its image with a suffix, or is in a folder of masks; the paths of the
    files are what remains.
    """
    stems = {_stem(file) for file in others}
    folders = {PurePosixPath(file).parent for file in others}
    globs: dict[str, None] = {}
    for file in masks:
        path = PurePosixPath(file)
        suffix = _suffix_after(path, stems)
        if suffix and not any(other.endswith(suffix) for other in others):
            globs[f"*{suffix}"] = None
        elif path.parent not in folders and path.parent.name:
            globs[f"{path.parent.as_posix()}/"] = None
        else:
            globs[file] = None
    return list(globs)


def _stem(file: str) -> str:
    return PurePosixPath(file).with_suffix("").as_posix()


def _suffix_after(path: PurePosixPath, stems: set[str]) -> str:
    """Return what a name has more than that of another image; empty where it is no longer one."""
    name = path.name
    for end in range(1, len(name)):
        if name[end] in _SEPARATORS and (path.parent / name[:end]).as_posix() in stems:
            return name[end:]
    return ""


def conflicting_pairs(
    kept: pd.DataFrame, codes: Sequence[int], shown: Sequence[str], images: np.ndarray
) -> list[tuple[int, int]]:
    """Return pairs of rows with equal pixels and different labels.

    Args:
        kept: The imported images, column label.
        codes: What :func:`pixel_code` returned, by row.
        shown: What :func:`what_it_shows` returned, by row; masks and images of one colour may be
            equal and are left out.
        images: The store, (images, height, width, 3).

    Returns:
        Each row with the first row that has its pixels and another label.
    """
    table = pd.DataFrame({"code": codes, "label": kept["label"].to_numpy()})
    table = table[np.asarray(shown, dtype=object) == ""]
    table = table[table.groupby("code")["label"].transform("nunique") > 1]
    pairs = []
    for _, group in table.groupby("code", sort=False):
        rows = group.index.to_list()
        for place, row in enumerate(rows):
            for other in rows[:place]:
                unlike = group["label"][other] != group["label"][row]
                if unlike and np.array_equal(images[other], images[row]):
                    pairs.append((other, row))
                    break
    return sorted(pairs)


def note_conflicts(
    listing: Listing, kept: pd.DataFrame, pairs: Sequence[tuple[int, int]], refused: bool
) -> None:
    """Note images with the pixels of another image and another label, or refuse them.

    Raises:
        InputError: ``refused`` is set; names the images and the key that allows them.
    """
    if not pairs:
        return
    names = kept["image_id"].to_list()
    if refused:
        shown = [
            f"{names[first]} ({kept['class'][first]}) and {names[second]} ({kept['class'][second]})"
            for first, second in pairs
        ]
        raise InputError(
            f"{len(pairs)} images have the pixels of another image with another label: "
            f"{shorten(shown, 3, quote='')}. Correct the labels, remove the images, or set "
            "conflicts: report to import all of them."
        )
    first, second = pairs[0]
    listing.doubt("conflicting_labels", images=len(pairs), first=names[first], second=names[second])
