"""The raw files of a data set: which of them count, and digests of what is in them.

A digest decides whether a data set is imported again. It depends on the names and the content of
the files and on nothing else. A new date, a copy to another disk or a link in place of the folder
changes nothing. A file that was overwritten by another one of the same size changes it.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from blastfold.core.digest_cache import UNREADABLE, DigestCache
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file, exists

IGNORED_FOLDERS = (
    *("__MACOSX", "@eaDir", "@Recycle", "@tmp", "#recycle", "#snapshot", "$RECYCLE.BIN"),
    *("System Volume Information", "lost+found", "__pycache__"),
)
IGNORED_FILES = ("Thumbs.db", "ehthumbs.db", "desktop.ini", "Icon\r")
"""What macOS, network disks and Windows put into every folder, in any case. Hidden files and
folders, whose names begin with a dot, are ignored too (``.ipynb_checkpoints``, ``.git``)."""

HIDDEN, SYSTEM = "hidden", "system"
"""The rules by which :func:`find_files` leaves files out."""

DOCUMENTS = (".doc", ".docx", ".html", ".log", ".md", ".odt", ".pdf", ".rst", ".rtf", ".txt")
"""Endings of notes that are next to images; no format reads them, unless one is its sheet."""

SAMPLED_ABOVE = 256 * 2**20
SAMPLES = 1024
SAMPLE_SIZE = 64 * 2**10
"""Of a slide above so many bytes so many samples of so many bytes are read, evenly spaced."""

NOT_A_FILE = "is not a regular file"
"""Why pipes, sockets and devices are not read."""


def find_files(root: str | os.PathLike) -> list[str]:
    """List the files below a folder, those of linked folders too.

    Hidden files and what operating systems leave (``IGNORED_FOLDERS``, ``IGNORED_FILES``) are left
    out. Every folder is listed once, under its own name rather than that of a link, so that links
    in a circle end.

    Args:
        root: The folder, or a link to it.

    Returns:
        Paths relative to the folder with forward slashes, sorted.

    Raises:
        InputError: A folder cannot be read, or a file name is not valid UTF-8 and could not be
            written to a table.
    """
    root = Path(root)
    files = sorted(_walk(root, {}))
    for file in files:
        try:
            file.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                f"The name of {file!r} in '{root}' is not UTF-8 text. Rename the file."
            ) from None
    return files


def find_ignored(root: str | os.PathLike) -> dict[str, str]:
    """List the files that :func:`find_files` leaves out, those in ignored folders too.

    Args:
        root: The folder, or a link to it.

    Returns:
        Path relative to the folder -> ``hidden`` or ``system``.

    Raises:
        InputError: A folder that is not ignored cannot be read.
    """
    root = Path(root)
    folders: dict[Path, str] = {}
    found = {file: _ignoring_rule(PurePosixPath(file).name) for file in _walk(root, folders, True)}
    for folder, rule in folders.items():
        for place, _, names in os.walk(folder):
            for name in names:
                found[Path(place, name).relative_to(root).as_posix()] = rule
    return {file: rule for file, rule in found.items() if rule}


def _walk(root: Path, ignored: dict[Path, str], everything: bool = False) -> Iterator[str]:
    """Yield the files of all folders that count; enter the other folders with their rule."""
    seen: set[str] = set()
    top = os.path.realpath(root)
    waiting = [root]
    while waiting:
        # Folders come before links to them: links wait until all folders of this round are listed.
        links: list[Path] = []
        for start in waiting:
            for folder, subfolders, names in os.walk(start, onerror=_refuse_folder):
                place = os.path.realpath(folder)
                if place in seen:
                    subfolders.clear()
                    continue
                seen.add(place)
                rules = {name: _ignoring_rule(name, IGNORED_FOLDERS) for name in subfolders}
                ignored |= {Path(folder, name): rule for name, rule in rules.items() if rule}
                wanted = sorted(name for name, rule in rules.items() if not rule)
                linked = [name for name in wanted if _is_link(Path(folder, name))]
                links += [Path(folder, name) for name in linked]
                subfolders[:] = [name for name in wanted if name not in linked]
                for name in names:
                    if everything or not _ignoring_rule(name):
                        yield Path(folder, name).relative_to(root).as_posix()
        # A link to the folder itself or to one above it would list the whole disk.
        waiting = [link for link in links if not _holds(os.path.realpath(link), top)]


def _is_link(path: Path) -> bool:
    try:
        return path.is_symlink()
    except OSError:
        # The path is too long; the walk reports it.
        return False


def is_special(path: str | os.PathLike) -> bool:
    """Return whether a path is a pipe, a socket or a device, whose reading may never end.

    Raises:
        OSError: There is nothing, or it cannot be looked at.
    """
    mode = Path(path).stat().st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def refuse_special(path: str | os.PathLike) -> None:
    """Refuse what :func:`is_special` finds; what is missing is left to its reader.

    Raises:
        InputError: Names the path.
    """
    with contextlib.suppress(OSError):
        if is_special(path):
            raise InputError(f"'{path}' {NOT_A_FILE}, but a pipe, a socket or a device.")


def _ignoring_rule(name: str, system: tuple[str, ...] = IGNORED_FILES) -> str:
    """Return the rule that leaves out a file or folder of this name; empty for none."""
    if name.startswith("."):
        return HIDDEN
    return SYSTEM if name.casefold() in {other.casefold() for other in system} else ""


def _holds(folder: str, other: str) -> bool:
    return os.path.commonpath([folder, other]) == folder


def _refuse_folder(error: OSError) -> None:
    raise InputError(
        f"The folder '{error.filename}' cannot be read ({error.strerror}). Its images would be "
        "missing from the data set. Allow reading it, or move it away."
    ) from error


def digest_raw_folder(
    root: str | os.PathLike,
    cache: str | os.PathLike,
    sheet: str | None = None,
    report: Callable[[str], None] | None = None,
) -> str:
    """Digest the content of a data set's raw files.

    Args:
        root: The folder, or a link to it.
        cache: File with the digests of the files read so far; written when one was read.
        sheet: A file of the folder that counts whatever its ending is.
        report: Is given a line every few seconds while files are read.

    Returns:
        SHA-256 over names and contents. A file that cannot be read counts by its name alone, for
        the import rejects it.

    Raises:
        InputError: See :func:`find_files`; or a file changes while it is read.
    """
    root = Path(root)
    sheet = PurePosixPath(sheet).as_posix() if sheet else None
    files = [
        file
        for file in find_files(root)
        if file == sheet or PurePosixPath(file).suffix.lower() not in DOCUMENTS
    ]
    known = DigestCache(cache)
    digests = known.digests({file: root / file for file in files}, digest_file, report)
    known.save(only=files)
    text = "".join(f"{file}\0{digests[file]}\0" for file in files)
    return hashlib.sha256(text.encode()).hexdigest()


class RawContent(NamedTuple):
    """What the folder of a data set held when its import was planned.

    Attributes:
        digest: As :func:`digest_raw_folder` returns it.
        cache: The cache of the digests of its files.
    """

    digest: str
    cache: str


def require_content(
    root: str | os.PathLike, planned: RawContent | None, sheet: str | None, moment: str
) -> None:
    """Check that raw files hold what they held when the job was planned.

    Args:
        root: The folder.
        planned: What it held; None checks nothing.
        sheet: As for :func:`digest_raw_folder`.
        moment: Since when, for the message.

    Raises:
        InputError: A file was changed.
    """
    if planned and digest_raw_folder(root, planned.cache, sheet) != planned.digest:
        raise InputError(
            f"The files in '{root}' were changed {moment}, so that nothing was imported. "
            "Run the workflow again when they are complete."
        )


def digest_slide(
    path: str | os.PathLike,
    cache: str | os.PathLike,
    report: Callable[[str], None] | None = None,
) -> str:
    """Digest the content of a slide.

    Of a slide of more than ``SAMPLED_ABOVE`` bytes samples are digested with its size: hundreds
    of slides of gigabytes cannot be read for a plan. Another scan differs in every sample, and a
    corrected header in the first one. Bytes that are edited between two samples are missed.

    Args:
        path: The slide.
        cache: File with the digests of the slides read so far; written when the slide was read.
        report: Is given a line every few seconds while the slide is read.

    Returns:
        SHA-256 of the content or of its samples. Of a slide that is gone what was known last, and
        else an empty text.

    Raises:
        InputError: The slide cannot be read, or changes while it is read.
    """
    known = DigestCache(cache)
    # By its path as the sheet has it, so that the whole experiment may be moved.
    name, path = str(path), Path(path)
    if not exists(path):
        return known.last(name)
    digest = known.digests({name: path}, digest_samples, report)[name]
    if digest.startswith(UNREADABLE):
        raise InputError(f"The slide '{path}' cannot be read ({digest}).")
    known.save()
    return digest


def digest_samples(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file; of a large one that of its size and of samples."""
    size = Path(path).stat().st_size
    if size <= SAMPLED_ABOVE:
        return digest_file(path)
    digest = hashlib.sha256(f"{size} bytes, {SAMPLES} samples\n".encode())
    with Path(path).open("rb") as file:
        for number in range(SAMPLES):
            file.seek((size - SAMPLE_SIZE) * number // (SAMPLES - 1))
            digest.update(file.read(SAMPLE_SIZE))
    return digest.hexdigest()
