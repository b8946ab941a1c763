"""Files that appear whole or not at all, and digests of what a result was made from."""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any


@contextlib.contextmanager
def written_whole(path: str | os.PathLike) -> Iterator[Path]:
    """Give a path to write to, and move the file to its place when it is complete.

    Args:
        path: Where the file will be; its folder is made when it does not exist.

    Yields:
        A path next to it with the same ending. An error leaves what was there before untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    partial = path.with_name(f".{os.getpid()}.partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    for partial in path.parent.glob(f".*.partial.{glob.escape(path.name)}"):
        with contextlib.suppress(OSError, ValueError):
            try:
                os.kill(int(partial.name.split(".")[1]), 0)
            except ProcessLookupError:
                partial.unlink()


@contextlib.contextmanager
def written_together(*paths: str | os.PathLike) -> Iterator[list[Path]]:
    """Give a path for each file to write to, and move all to their places when all are complete.

    Args:
        paths: Where the files will be; folders are made when they do not exist.

    Yields:
        Paths next to them, in the same order. An error leaves all that was there untouched.
    """
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(written_whole(path)) for path in paths]


def claim_file(path: str | os.PathLike) -> IO | None:
    """Open a file that one process at a time has; wait until no other one has it.

    The kernel frees it when the process ends, even after a crash. Whoever removes the file must
    do so before it closes it.

    Args:
        path: The file; it is made with its folder when it does not exist.

    Returns:
        The open file, to be kept; None where the file system has no locks.
    """
    path = Path(path)
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = path.open("a")
            fcntl.flock(file, fcntl.LOCK_EX)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        # The one before may have removed the file.
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return file
        file.close()


def link_or_copy(source: str | os.PathLike, target: str | os.PathLike) -> None:
    """Link a file from a second place, or copy it where the file system has no links.

    The link is symbolic and relative. A hard link would share its time with the original, which
    Snakemake renews for every output: all that was made from the original would look outdated.

    Args:
        source: The file.
        target: Its second place; the folder is made when it does not exist.
    """
    with written_whole(target) as partial:
        # A relative link is resolved from the real place of its folder.
        there = os.path.relpath(Path(source).resolve(), partial.parent.resolve())
        try:
            partial.symlink_to(there)
        except OSError:
            shutil.copyfile(source, partial)


def write_json(content: Any, path: str | os.PathLike) -> None:
    """Write JSON that is fit to be read by people, whole or not at all."""
    with written_whole(path) as partial:
        partial.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def is_file(path: str | os.PathLike) -> bool:
    """Return whether a path is a file, also for names that no file can have."""
    return _holds(path, Path.is_file)


def exists(path: str | os.PathLike) -> bool:
    """Return whether there is something at a path, also for names that no file can have."""
    return _holds(path, Path.exists)


def _holds(path: str | os.PathLike, question: Callable[[Path], bool]) -> bool:
    try:
        return question(Path(path))
    except OSError:
        # A name of more than 255 bytes, or a folder that may not be looked into.
        return False


def digest_file(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file's bytes, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_names(names: Iterable[str]) -> str:
    """Return the SHA-256 of a set of names, whatever their order."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()


def digest_settings(settings: Any) -> str:
    """Return the SHA-256 of anything that JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
