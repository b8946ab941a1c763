"""Which images start weights were learnt from: a record that travels inside the file of weights.

A Keras file of weights is an HDF5 file. The digests of the training images are one more dataset in
it, so that they stay with the weights when the file is copied, renamed or published. Keras reads
the groups that it knows and leaves the rest alone.
"""

import os
from collections.abc import Iterable
from typing import NamedTuple

import h5py
import numpy as np

RECORD = "blastfold_learnt_images"
"""Name of the dataset in the file: the beginning of the SHA-256 of every image's file, and of every
photograph that images were cut from."""

COMPLETE = "complete"
"""Its attribute: 0 where the weights started from others that record nothing."""

KEY_LENGTH = 16
"""Hexadecimal digits of a digest that are stored: 64 bits, enough for a billion images."""


class Learnt(NamedTuple):
    """What weights record.

    Attributes:
        keys: :func:`digest_key` of what they were learnt from.
        complete: Whether that is all of it.
    """

    keys: frozenset[str]
    complete: bool


def digest_key(digest: str) -> str:
    """Return the part of a SHA-256 in hexadecimal digits that is recorded."""
    return digest[:KEY_LENGTH]


def record_learnt(
    weights: str | os.PathLike, digests: Iterable[str], start: str | os.PathLike | None = None
) -> None:
    """Write into a file of weights which images it was learnt from.

    Args:
        weights: A Keras ``.weights.h5``, changed in place. What it recorded before is kept.
        digests: SHA-256 of the images' files, and of the photographs that they were cut from, in
            hexadecimal digits; empty ones are left out.
        start: The file of weights that it started from, if any. It has learnt from the images of
            both. Where that file has no record, this one is not complete.
    """
    known = read_learnt(weights) or Learnt(frozenset(), True)
    before = (read_learnt(start) if start else None) or Learnt(frozenset(), not start)
    keys = known.keys | before.keys | {digest_key(digest) for digest in digests if digest}
    with h5py.File(weights, "a") as file:
        if RECORD in file:
            del file[RECORD]
        record = file.create_dataset(RECORD, data=np.array(sorted(keys), dtype=f"S{KEY_LENGTH}"))
        record.attrs[COMPLETE] = int(known.complete and before.complete)


def read_learnt(weights: str | os.PathLike) -> Learnt | None:
    """Return what a file of weights records, None if it records nothing."""
    if not h5py.is_hdf5(weights):
        return None
    with h5py.File(weights, "r") as file:
        if RECORD not in file:
            return None
        keys = frozenset(key.decode("ascii") for key in file[RECORD][()])
        return Learnt(keys, bool(file[RECORD].attrs.get(COMPLETE, 1)))
