"""The photographs of a data set of crops: which crop is in which, and which of them overlap."""

import logging
import os
from collections import Counter
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import NamedTuple

import pandas as pd

from blastfold.cells.crops import Outcome
from blastfold.cells.search import Search, find_crops
from blastfold.core.errors import InputError
from blastfold.core.files import digest_file
from blastfold.core.manifest import PHOTOGRAPH_COLUMNS, SOURCE_DIGEST
from blastfold.core.raw_files import RawContent, find_files
from blastfold.datasets.accounting import describe_unplaced
from blastfold.datasets.formats.common import is_image

logger = logging.getLogger(__name__)


class PhotographFolder(NamedTuple):
    """A folder of photographs.

    Attributes:
        path: The folder.
        raw: What it held when the import was planned; None checks nothing.
    """

    path: str | os.PathLike
    raw: RawContent | None = None

    @classmethod
    def planned(cls, digest: str | None, place: SimpleNamespace) -> "PhotographFolder | None":
        """Return the folder that a planned import reads; None for a data set without one.

        Args:
            digest: Of its content.
            place: ``photographs`` (the folder) and ``photographs_cache``.
        """
        if digest is None:
            return None
        return cls(place.photographs, RawContent(digest, place.photographs_cache))


def locate_crops(
    manifest: pd.DataFrame, root: Path, folder: PhotographFolder, threads: int
) -> tuple[pd.DataFrame, pd.DataFrame, dict]:
    """Find every crop in its photograph.

    Args:
        manifest: One row per crop, each with a file of its own.
        root: The data set's folder.
        folder: The photographs. Files of the data set itself are no photographs.
        threads: Threads; each holds one photograph.

    Returns:
        The manifest with ``source_sha256`` (digest of the photograph), ``photograph`` (file,
        relative to the folder of photographs), ``photograph_x``, ``photograph_y`` (column and row
        of the crop's upper left corner), ``photograph_correlation`` and ``field`` (a name that
        overlapping photographs share), empty for crops that were not found, and with ``picture``
        where the source does not name one; the photographs that cannot be read (file, reason); and
        the facts of the summary.

    Raises:
        InputError: The folder does not exist or has no photograph.
    """
    files = _photograph_files(Path(folder.path), {root / file for file in manifest["file"]})
    paths = {Path(folder.path, file): file for file in files}
    search = find_crops([root / file for file in manifest["file"]], list(paths), threads)
    read = [paths[photograph.path] for photograph in search.photographs]
    names = picture_names(read)
    rows = [_row(outcome, search, read, names) for outcome in search.outcomes]
    columns = pd.DataFrame(rows, columns=list(PHOTOGRAPH_COLUMNS), index=manifest.index)
    held = columns["photograph"]
    digests = {file: digest_file(Path(folder.path, file)) for file in set(held) - {""}}
    located = manifest.assign(**{SOURCE_DIGEST: held.map(digests).fillna("")}).assign(**columns)
    picture = held.map(dict(zip(read, names, strict=True))).fillna("")
    located["picture"] = manifest["picture"].where(manifest["picture"] != "", picture)
    rejected = pd.DataFrame(
        [(f"{Path(folder.path).name}/{paths[path]}", why) for path, why in search.rejected.items()],
        columns=["file", "reason"],
    )
    facts = _facts(manifest["image_id"].tolist(), search, names, len(files))
    facts["sha256"] = folder.raw.digest if folder.raw else None
    for path, why in search.rejected.items():
        logger.warning("The photograph '%s' is not used: %s", paths[path], why)
    for crop in facts["unplaced"]:
        logger.warning("The crop %s: %s", crop["image_id"], describe_unplaced(crop))
    return located, rejected, facts


def picture_names(files: list[str]) -> list[str]:
    """Return the names of pictures: of files without folder and ending, where these differ."""
    stems = [PurePosixPath(file).stem for file in files]
    return stems if len(set(stems)) == len(stems) else list(files)


def _photograph_files(folder: Path, own: set[Path]) -> list[str]:
    if not folder.is_dir():
        raise InputError(
            f"The folder of photographs '{folder}' does not exist. Put the photographs or a link "
            "to them there, or correct the key 'photographs'."
        )
    taken = {os.path.realpath(path) for path in own}
    files = [
        file
        for file in find_files(folder)
        if is_image(file) and os.path.realpath(folder / file) not in taken
    ]
    if not files:
        raise InputError(f"The folder '{folder}' has no photograph (key 'photographs').")
    return files


def _row(outcome: Outcome, search: Search, files: list[str], names: list[str]) -> tuple:
    match = outcome.match
    if match is None:
        return ("",) * len(PHOTOGRAPH_COLUMNS)
    field = names[search.fields[match.photograph]]
    places = str(match.left), str(match.top), f"{match.correlation:.4f}"
    return files[match.photograph], *places, field


def _facts(image_ids: list[str], search: Search, names: list[str], files: int) -> dict:
    unplaced = [
        {"image_id": image_id, "code": outcome.code, "candidates": _candidates(outcome, names)}
        for image_id, outcome in zip(image_ids, search.outcomes, strict=True)
        if outcome.match is None
    ]
    held = {outcome.match.photograph for outcome in search.outcomes if outcome.match}
    return {
        "files": files,
        "rejected": len(search.rejected),
        "holding": len(held),
        "crops": dict(Counter(outcome.code for outcome in search.outcomes)),
        "unplaced": unplaced,
        "overlapping": [
            {
                **{"first": names[overlap.first], "second": names[overlap.second]},
                **{"down": overlap.down, "right": overlap.right},
                **{"share": overlap.share, "correlation": overlap.detail},
            }
            for overlap in search.overlaps
        ],
    }


def _candidates(outcome: Outcome, names: list[str]) -> list[dict]:
    return [
        {
            **{"photograph": names[match.photograph], "x": match.left, "y": match.top},
            **{"correlation": match.correlation, "detail": match.detail},
        }
        for match in outcome.matches[:2]
    ]
