"""Damaged HDF5 files as errors that name them, and bounds on what a file may claim."""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import h5py

from blastfold.core.errors import InputError
from blastfold.core.raw_files import refuse_special

MAX_CHUNK = 2**28
"""Bytes of a chunk, which is read as a whole."""


@contextlib.contextmanager
def opened_hdf5(path: Path, **options) -> Iterator[h5py.File]:
    """Open a file for reading.

    Args:
        path: The file.
        **options: Passed to ``h5py.File``.

    Yields:
        The open file.

    Raises:
        InputError: The file is not HDF5, is truncated or damaged, also while it is open.
    """
    with naming(path):
        refuse_special(path)
        with path.open("rb") as file:
            if file.read(2) == b"\x1f\x8b":
                raise InputError(f"'{path}' is compressed; unpack it with gunzip.")
        with h5py.File(path, "r", **options) as source:
            yield source


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever h5py raises for a damaged file into an error that names the file.

    Raises:
        InputError: Names the file.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"'{path}' cannot be opened as HDF5: {error}. Copy or download the file again."
        ) from error


def stored_array(path: Path, source: h5py.File, name: str) -> h5py.Dataset:
    """Return an array of a file that can be read in pieces of known size.

    Args:
        path: The file, for messages.
        source: The open file.
        name: The array.

    Returns:
        The array, which is in this file and not in another one.

    Raises:
        InputError: There is no such array, or its chunks do not fit into memory.
    """
    if name not in source:
        raise InputError(f"'{path}' holds no dataset '{name}', only {list(source)}.")
    found = source[name]
    stored_here = isinstance(found, h5py.Dataset) and not (found.is_virtual or found.external)
    if not stored_here or found.ndim == 0:
        raise InputError(f"'{path}': '{name}' is no array that is stored in this file.")
    if found.chunks and math.prod(found.chunks) * found.dtype.itemsize > MAX_CHUNK:
        raise InputError(f"'{path}': '{name}' has chunks of {found.chunks}; the file is damaged.")
    return found
