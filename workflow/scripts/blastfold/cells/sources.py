"""Photographs and slides as files: their size without decoding, and their pixels."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from blastfold.core.raw_files import NOT_A_FILE, is_special
from blastfold.images import jpeg
from blastfold.images.decoding import decode_image
from blastfold.images.limits import ImageError, read_bytes
from blastfold.images.signatures import format_of
from blastfold.slides.reading import VENDOR_SUFFIXES, Slide, open_slide

HEADER = 32
"""Bytes that tell the format of a file."""


def is_photograph(path: str | os.PathLike) -> bool:
    """Return whether a file is decoded as a whole: anything but TIFF and slides of vendors.

    Raises:
        ImageError: The file cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() in VENDOR_SUFFIXES:
        return False
    try:
        if is_special(path):
            raise ImageError(NOT_A_FILE)
        with path.open("rb") as file:
            return format_of(file.read(HEADER)) != "TIFF"
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror}") from error


def stored_size(path: str | os.PathLike) -> tuple[int, int]:
    """Return the shorter and the longer side of a photograph, pixels, from its header if possible.

    Raises:
        ImageError: The file is not a photograph.
    """
    data = read_bytes(path)
    kind = format_of(data)
    if kind == "JPEG":
        header = jpeg.read_header(data)
        sides = header.height, header.width
    elif kind == "PNG" and len(data) >= HEADER:
        sides = struct.unpack_from(">II", data, 16)
    else:
        sides = decode_image(data).shape[:2]
    return min(sides), max(sides)


@contextmanager
def opened(path: str | os.PathLike) -> Iterator[Slide | np.ndarray]:
    """Open a photograph or a slide.

    Yields:
        uint8 (height, width, 3), RGB, for a photograph; the open slide for what is stored in
        several segments.

    Raises:
        ImageError: The file cannot be used; the message is the reason.
        InputError: The same for slides.
    """
    if is_photograph(path):
        yield decode_image(read_bytes(path))
        return
    with open_slide(path) as slide:
        level = slide.levels[0]
        whole = level.segment_width >= level.width and level.segment_height >= level.height
        yield level.decode(0, 0) if whole and len(slide.levels) == 1 else slide
