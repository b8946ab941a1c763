"""The leukocytes of the photographs of an application, as tables."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from blastfold.cells.detection import Searched, search_files
from blastfold.cells.finders import open_finder
from blastfold.cells.tables import cell_table, photograph_table
from blastfold.core.errors import InputError
from blastfold.core.files import written_together
from blastfold.core.raw_files import RawContent, require_content
from blastfold.core.tables import write_table
from blastfold.smears.photographs import list_photographs

logger = logging.getLogger(__name__)


def detect_smear_cells(
    folder: str | os.PathLike,
    settings: Mapping,
    raw: RawContent | None,
    outputs: Mapping[str, str],
    threads: int = 1,
    detector: str | os.PathLike | None = None,
) -> None:
    """Find the leukocytes of all photographs and slides of an application.

    A file that cannot be used has its reason in the table of photographs and stops no other.

    Args:
        folder: The folder of photographs.
        settings: See :func:`blastfold.smears.photographs.list_photographs`; and ``detector``, see
            :func:`blastfold.cells.detection.given_scale` and
            :func:`blastfold.cells.finders.open_finder`.
        raw: What the folder held when the search was planned; None checks nothing.
        outputs: Paths by name: cells and photographs (see :mod:`blastfold.cells.tables`) and listed
            (subject and picture of every photograph).
        threads: Threads; each holds one photograph.
        detector: ONNX file of the detector that the settings declare; None for the classical one.

    Raises:
        InputError: See :func:`list_photographs`; the detector cannot be used; no photograph can be
            used; or the folder does not hold what it held when the search was planned.
    """
    root, sheet = Path(folder), settings.get("sheet")
    require_content(folder, raw, sheet, "since this search was planned")
    listed = list_photographs(root, settings)
    there = listed[listed["problem"] == ""]["photograph"].tolist()
    asked, files = settings.get("detector") or {}, [root / name for name in there]
    found = search_files(files, asked, threads, finder=open_finder(asked, detector))
    by_name = dict(zip(there, found, strict=True))
    searched = [
        by_name.get(row.photograph) or Searched(root / row.photograph, problem=row.problem)
        for row in listed.itertuples()
    ]
    names = listed["photograph"].tolist()
    for one, name in zip(searched, names, strict=True):
        if one.problem:
            logger.warning("The photograph '%s' is not used: %s", name, one.problem)
    if all(one.problem for one in searched):
        raise InputError(
            f"No photograph in '{root}' can be searched for cells ({len(searched)} tried). The "
            f"first is '{names[0]}': {searched[0].problem}."
        )
    paths = (outputs["cells"], outputs["photographs"], outputs["listed"])
    with written_together(*paths) as (cells, photographs, listing):
        table = cell_table(searched, names)
        write_table(table, cells)
        write_table(photograph_table(searched, names), photographs)
        write_table(listed, listing)
        require_content(folder, raw, sheet, "while cells were looked for")
    whole = int((table["set_aside"] == "").sum())
    if not whole:
        logger.warning(
            "No whole leukocyte was found. If there are some, check the scale: "
            "red_cell_diameter or micrometres_per_pixel gives it"
        )
    logger.info("%d whole leukocytes in %d photographs", whole, len(there))
