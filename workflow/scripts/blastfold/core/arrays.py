"""Arrays as files, and digests of arrays."""

import hashlib
import os
from pathlib import Path

import numpy as np

from blastfold.core.files import written_whole


def create_array(
    path: str | os.PathLike, shape: tuple[int, ...], dtype: np.typing.DTypeLike
) -> np.memmap:
    """Create an array of zeros in NumPy's format whose whole place on the disk is reserved.

    Without that a file has holes: a disk that is full when they are filled ends the process with
    SIGBUS, and another job sees as free what this one is going to use.

    Args:
        path: The file; its folder exists.
        shape: Shape of the array.
        dtype: Its type.

    Returns:
        The array, memory-mapped for writing.

    Raises:
        OSError: The disk is full; the file is removed.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    try:
        with Path(path).open("r+b") as file:
            # macOS has no such call.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, file.seek(0, os.SEEK_END))
    except OSError as error:
        del array
        Path(path).unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None
    return array


def write_array(array: np.ndarray, path: str | os.PathLike) -> None:
    """Write an array in NumPy's format, whole or not at all."""
    with written_whole(path) as partial, partial.open("wb") as file:
        np.save(file, array)


def digest_array(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape, type and values."""
    description = f"{array.shape} {array.dtype.str}\n".encode()
    return hashlib.sha256(description + np.ascontiguousarray(array).tobytes()).hexdigest()
