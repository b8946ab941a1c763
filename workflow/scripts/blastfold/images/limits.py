"""What every reader of images checks before it takes memory or waits for a file.

A file can claim any size and can be a pipe that never ends. No image takes more than
``MAX_MEMORY``, whatever its header claims.
"""

import os
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.core.raw_files import NOT_A_FILE, is_special

MAX_PIXELS = 2**27
"""Larger images are rejected before memory is taken for them (134 million pixels)."""

MAX_MEMORY = 3 * 2**28
"""Bytes of a file and of its decoded samples together (805 MB)."""


class ImageError(BlastfoldError):
    """One image cannot be used; the message is the reason, without the file's name."""


def read_bytes(path: str | os.PathLike) -> bytes:
    """Read an image file.

    Args:
        path: The file.

    Returns:
        Its content.

    Raises:
        ImageError: It cannot be read, is a pipe, a socket or a device, or is too large.
    """
    path = Path(path)
    try:
        if is_special(path):
            raise ImageError(NOT_A_FILE)
        size = path.stat().st_size
        if size > MAX_MEMORY:
            raise ImageError(f"the file has {size} bytes; at most {MAX_MEMORY} are accepted")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"the file cannot be read: {error.strerror}") from error


def require_size(height: int, width: int, bytes_per_pixel: float = 3, length: int = 0) -> None:
    """Check what an image needs before it is decoded.

    Args:
        height: Pixels, as the header claims.
        width: Pixels, as the header claims.
        bytes_per_pixel: Memory that decoding takes for each pixel.
        length: Bytes of the file, which are in memory too.

    Raises:
        ImageError: The image is empty or too large.
    """
    if height <= 0 or width <= 0 or height * width > MAX_PIXELS:
        raise ImageError(
            f"the header claims {height} x {width} pixels (1 to {MAX_PIXELS} are accepted)"
        )
    needed = round(height * width * bytes_per_pixel) + length
    if needed > MAX_MEMORY:
        raise ImageError(
            f"the header claims {height} x {width} pixels, which take {needed} bytes "
            f"(at most {MAX_MEMORY} are accepted)"
        )
