"""Memory and run time that jobs ask for: they follow the size of the data and the attempt.

Functions here return functions for the ``resources`` of a rule. Tables are read into memory, where
they take many times the size of their file; arrays are mapped or streamed, and take a share of it.
The factors are generous: a job that asks for too little memory is killed, and one that asks for too
much only waits.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

TABLES = (".json", ".tsv", ".csv")
"""Endings of files that are read into memory as a whole."""

DAY = 24 * 60
"""Minutes of a day, beyond which no further attempt asks for more run time."""

MEGABYTE = 2**20

TRAINED_MB_PER_SECOND = {True: 15.0, False: 0.5}
"""Images, uint8, that a slow network takes per second in training: on a GPU, and on a CPU."""


class Megabytes(NamedTuple):
    """Size of the files that a job reads, in MB.

    Attributes:
        tables: Of those that are read as a whole.
        arrays: Of all others.
    """

    tables: float
    arrays: float


def megabytes(paths: Iterable[str | os.PathLike]) -> Megabytes:
    """Add up the sizes of files and of the files in folders.

    Raises:
        FileNotFoundError: One of them does not exist yet; in a plan Snakemake shows ``<TBD>``.
    """
    sizes = {True: 0, False: 0}
    for path in map(Path, paths):
        if path.is_dir():
            sizes[False] += sum(file.stat().st_size for file in path.iterdir() if file.is_file())
        else:
            sizes[path.suffix in TABLES] += path.stat().st_size
    return Megabytes(sizes[True] / MEGABYTE, sizes[False] / MEGABYTE)


def memory(base: float, of_tables: float = 30.0, of_arrays: float = 0.1) -> Callable:
    """Return a resource function for ``mem_mb``.

    Args:
        base: MB of a job with next to no data.
        of_tables: MB for each MB of tables.
        of_arrays: MB for each MB of images and other arrays.
    """

    def mem_mb(wildcards, input, attempt):
        size = megabytes(input)
        return round(base + of_tables * size.tables + of_arrays * size.arrays) * attempt

    return mem_mb


def run_time(base: float, of_tables: float = 0.5, of_arrays: float = 0.01) -> Callable:
    """Return a resource function for ``runtime``.

    Args:
        base: Minutes of a job with next to no data.
        of_tables: Minutes for each MB of tables.
        of_arrays: Minutes for each MB of images and other arrays.
    """

    def runtime(wildcards, input, attempt):
        size = megabytes(input)
        return _minutes(base + of_tables * size.tables + of_arrays * size.arrays, attempt)

    return runtime


def training_time(passes: Callable, on_gpu: bool, base: float = 240.0) -> Callable:
    """Return a resource function for ``runtime`` of a job that runs images through a network.

    It asks for one day at most, because the next attempt continues an unfinished training.

    Args:
        passes: From wildcards to the number of times that all images pass through the network.
        on_gpu: Whether it runs on a GPU.
        base: Minutes of a job with few images.
    """

    def runtime(wildcards, input, attempt):
        seconds = passes(wildcards) * megabytes([input.images]).arrays
        return min(_minutes(base + seconds / TRAINED_MB_PER_SECOND[on_gpu] / 60, attempt), DAY)

    return runtime


def counted(base: float, of_each: float, count: Callable, most: float = float("inf")) -> Callable:
    """Return a resource function for a job that reads no file that Snakemake knows.

    Args:
        base: MB or minutes of a job with next to no data.
        of_each: MB or minutes for each unit.
        count: From wildcards to the number of units, for instance MB of raw files.
        most: Further attempts do not ask for more than this, unless the first one does.
    """

    def resource(wildcards, attempt):
        first = base + of_each * count(wildcards)
        return round(min(first * attempt, max(first, most)))

    return resource


def _minutes(first: float, attempt: int) -> int:
    return round(min(first * attempt, max(first, DAY)))
