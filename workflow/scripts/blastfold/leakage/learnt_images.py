"""Which images start weights were learnt from: a record that travels inside the file of weights.

A Keras file of weights is an HDF5 file. The digests of the training images are one more dataset in
it, so that they stay with the weights when the file is copied, renamed or published. Keras reads
the groups that it knows and leaves the rest alone.
"""

import os
from collections.abc import Iterable

import h5py
import numpy as np

RECORD = "blastfold_learnt_images"
"""Name of the dataset in the file: the beginning of the SHA-256 of every image's file."""

KEY_LENGTH = 16
"""Hexadecimal digits of a digest that are stored: 64 bits, enough for a billion images."""

UNRECORDED = None
"""What :func:`read_learnt` returns of weights that say nothing of their images."""


def digest_key(digest: str) -> str:
    """Return the part of a SHA-256 in hexadecimal digits that is recorded."""
    return digest[:KEY_LENGTH]


def record_learnt(weights: str | os.PathLike, digests: Iterable[str]) -> None:
    """Write into a file of weights which images it was learnt from.

    Args:
        weights: A Keras ``.weights.h5``, changed in place. What it recorded before is kept: weights
            that start from others have learnt from the images of both.
        digests: SHA-256 of the images' files, in hexadecimal digits; empty ones are left out.
    """
    known = set(read_learnt(weights) or ()) | {digest_key(digest) for digest in digests if digest}
    with h5py.File(weights, "a") as file:
        if RECORD in file:
            del file[RECORD]
        file.create_dataset(RECORD, data=np.array(sorted(known), dtype=f"S{KEY_LENGTH}"))


def read_learnt(weights: str | os.PathLike) -> frozenset[str] | None:
    """Return the recorded digests' keys of a file of weights, or UNRECORDED."""
    if not h5py.is_hdf5(weights):
        return UNRECORDED
    with h5py.File(weights, "r") as file:
        if RECORD not in file:
            return UNRECORDED
        return frozenset(key.decode("ascii") for key in file[RECORD][()])
