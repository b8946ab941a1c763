"""Randomness by name: one seed in the config, one independent stream for every purpose.

A stream depends on its names alone, never on the order in which jobs run. Adding a data
set, a fold or a model therefore changes no other result.
"""

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive the seed of a named stream.

    Args:
        seed: The experiment's seed.
        *names: What the stream is for, for instance ``"train_model", "demo", "fold-0"``.

    Returns:
        An integer in [0, 2**32), the range that NumPy's and Keras' legacy seeding accept.
    """
    text = "\x1f".join([str(int(seed)), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return NumPy's generator of a named stream (see :func:`derive_seed`)."""
    return np.random.default_rng(derive_seed(seed, *names))
