"""Digests of files that are read once, until they change.

Reading every file for every plan would take too long. A cache therefore keeps the digest of each
file with its size, its inode and the two dates that a change moves: that of its content (mtime)
and that of its inode (ctime), which ``cp --preserve`` and ``touch`` cannot set back. Git's index
works in the same way. Like Git, the cache does not trust a file that was changed just before it was
read, because the clock of a file system is coarse.
"""

import json
import os
import stat
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from blastfold.core.errors import InputError
from blastfold.core.files import written_whole
from blastfold.core.progress import Progress

ATTEMPTS = 3
"""How often a file is read that changes meanwhile."""

COARSE_NS = 2_000_000_000
"""The coarsest clock of a file system in use (FAT), in nanoseconds."""

SECONDS_BETWEEN_REPORTS = 10.0
UNREADABLE = "unreadable"

Stamp = tuple[int, int, int, int]
"""Size, mtime in ns, ctime in ns and inode of a file."""


class DigestCache:
    """Digests of files by name, each with the stamp that the file had when it was read.

    Args:
        path: The file that holds them. One that is missing or damaged is an empty cache.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.known: dict[str, list] = self._read()
        self.changed = False

    def _read(self) -> dict[str, list]:
        try:
            known = json.loads(self.path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        usable = isinstance(known, dict) and all(
            isinstance(entry, list) and len(entry) == 5 for entry in known.values()
        )
        return known if usable else {}

    def last(self, name: str) -> str:
        """Return the digest that was known last of a file; empty when there is none."""
        return self.known[name][4] if name in self.known else ""

    def digests(
        self,
        paths: Mapping[str, Path],
        digest: Callable[[Path], str],
        report: Callable[[str], None] | None = None,
    ) -> dict[str, str]:
        """Return the digest of every file, reading those that are new or were changed.

        Args:
            paths: Files by name.
            digest: Reads a file.
            report: Receives a line every few seconds; None reports nothing.

        Raises:
            InputError: A file changes while it is read.
        """
        stamps = {name: stamp_of(path) for name, path in paths.items()}
        unknown = [name for name, stamp in stamps.items() if not self._holds(name, stamp)]
        total = sum(stamps[name][0] for name in unknown if stamps[name]) / 1e9
        progress = Progress(total, report, "GB of raw files read", SECONDS_BETWEEN_REPORTS)

        def read(name: str) -> None:
            stamp, content = read_stable(paths[name], digest)
            if stamp is None:
                self.known.pop(name, None)
                found[name] = content
            else:
                self.known[name] = [*stamp, content]
                progress.advance(max(stamp[0], 0) / 1e9)

        found: dict[str, str] = {}
        with ThreadPoolExecutor(8) as pool:
            for _ in pool.map(read, unknown):
                self.changed = True
        return {name: found.get(name) or self.known[name][4] for name in paths}

    def _holds(self, name: str, stamp: Stamp | None) -> bool:
        return stamp is not None and self.known.get(name, [None])[:4] == list(stamp)

    def save(self, only: list[str] | None = None) -> None:
        """Write what changed; a cache that cannot be written costs time and no result.

        Args:
            only: Names to keep; all without it.
        """
        if only is not None:
            kept = {name: self.known[name] for name in only if name in self.known}
            self.changed |= len(kept) != len(self.known)
            self.known = kept
        if not self.changed:
            return
        try:
            with written_whole(self.path) as partial:
                partial.write_text(json.dumps(self.known), "utf-8")
        except OSError:
            return
        self.changed = False


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a regular file, links followed; None when there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def read_stable(path: Path, digest: Callable[[Path], str]) -> tuple[Stamp | None, str]:
    """Digest a file that must not change meanwhile.

    Returns:
        The stamp to remember and the digest. The stamp matches no file when the file was changed
        so shortly before that a further change could carry the same dates. Without a stamp:
        ``unreadable`` with the reason.

    Raises:
        InputError: The file changes at every attempt.
    """
    for _ in range(ATTEMPTS):
        before = stamp_of(path)
        if before is None:
            return None, f"{UNREADABLE}: no file"
        started = time.time_ns()
        try:
            content = digest(path)
        except OSError as error:
            return None, f"{UNREADABLE}: {error.strerror}"
        if stamp_of(path) == before:
            fresh = abs(started - max(before[1], before[2])) < COARSE_NS
            return ((-1, *before[1:]) if fresh else before), content
    raise InputError(f"'{path}' changes while it is read. Wait until it is complete.")
