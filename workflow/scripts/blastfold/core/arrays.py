"""Arrays as files, and digests of arrays."""

import hashlib
import os

import numpy as np

from blastfold.core.files import written_whole


def write_array(array: np.ndarray, path: str | os.PathLike) -> None:
    """Write an array in NumPy's format, whole or not at all."""
    with written_whole(path) as partial, partial.open("wb") as file:
        np.save(file, array)


def digest_array(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's shape, type and values."""
    description = f"{array.shape} {array.dtype.str}\n".encode()
    return hashlib.sha256(description + np.ascontiguousarray(array).tobytes()).hexdigest()
