"""The leukocytes of a folder of photographs, as tables."""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from blastfold.cells.detection import search_files
from blastfold.cells.finders import open_finder
from blastfold.cells.tables import cell_table, photograph_table
from blastfold.core.errors import InputError
from blastfold.core.files import written_together
from blastfold.core.names import SET_ASIDE
from blastfold.core.raw_files import RawContent, require_content
from blastfold.core.tables import write_table
from blastfold.datasets.formats.folder import Source
from blastfold.datasets.formats.photographs import is_searched

logger = logging.getLogger(__name__)


def detect_cells(
    folder: str | os.PathLike,
    settings: Mapping,
    raw: RawContent | None,
    cells: str | os.PathLike,
    photographs: str | os.PathLike,
    threads: int = 1,
    detector: str | os.PathLike | None = None,
) -> None:
    """Find the leukocytes of all photographs and slides of a folder.

    Args:
        folder: The folder.
        settings: ``detector`` (see :func:`blastfold.cells.detection.given_scale` and
            :func:`blastfold.cells.finders.open_finder`), ``ignore`` and ``classes`` of the data
            set.
        raw: What the folder held when the search was planned; None checks nothing.
        cells: Written: one row per cell, see :mod:`blastfold.cells.tables`.
        photographs: Written: one row per file.
        threads: Threads; each holds one photograph.
        detector: ONNX file of the detector that the settings declare; None for the classical one.

    Raises:
        InputError: The detector cannot be used; the folder does not exist, has no photograph, or
            none of them can be used; or it does not hold what it held when the search was planned.
    """
    root = Path(folder)
    sheet = settings.get("sheet") or settings.get("boxes")
    require_content(folder, raw, sheet, "since this search was planned")
    names = photograph_files(root, settings)
    asked = settings.get("detector") or {}
    files = [root / name for name in names]
    searched = search_files(files, asked, threads, finder=open_finder(asked, detector))
    if all(one.problem for one in searched):
        raise InputError(
            f"No photograph in '{root}' can be searched for cells ({len(searched)} tried). The "
            f"first is '{names[0]}': {searched[0].problem}."
        )
    for one, name in zip(searched, names, strict=True):
        if one.problem:
            logger.warning("The photograph '%s' is not used: %s", name, one.problem)
    with written_together(cells, photographs) as (cell_file, photograph_file):
        table = cell_table(searched, names)
        write_table(table, cell_file)
        write_table(photograph_table(searched, names), photograph_file)
        require_content(folder, raw, sheet, "while cells were looked for")
    counts = table["set_aside"].value_counts()
    aside = ", ".join(f"{counts[reason]} {reason}" for reason in SET_ASIDE if reason in counts)
    logger.info(
        "%d whole leukocytes in %d photographs; set aside: %s",
        *(counts.get("", 0), sum(not one.problem for one in searched), aside or "nothing"),
    )


def detected_in(settings: Mapping, tables: Sequence[str | os.PathLike]) -> dict:
    """Return the settings of a data set with the folder of its detected cells, if it has some."""
    return {**settings, "detected": Path(tables[0]).parent} if tables else dict(settings)


def photograph_files(root: Path, settings: Mapping) -> list[str]:
    """List the photographs and slides of a folder that the key ``ignore`` does not leave out.

    Args:
        root: The folder.
        settings: ``ignore`` and ``classes`` of the data set.

    Raises:
        InputError: The folder does not exist or has no photograph.
    """
    if not root.is_dir():
        raise InputError(
            f"The folder of photographs '{root}' does not exist. Put the photographs or a link to "
            "them there, or correct the key 'path'."
        )
    files = [file for file in Source(root, settings).files if is_searched(root, file)]
    if not files:
        raise InputError(f"The folder '{root}' has no photograph (JPEG, PNG, TIFF, BMP, slides).")
    return files
