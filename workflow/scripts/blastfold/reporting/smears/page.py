"""The page of an application: one file with its photographs and all of its cells.

Above some size the pictures are files in a folder next to the page.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import written_whole
from blastfold.reporting.page.gallery import (
    as_text,
    for_script,
    jpeg_file,
    sprite_files,
    tile_side,
)
from blastfold.reporting.page.render import render
from blastfold.reporting.smears import content
from blastfold.reporting.smears.application import Application
from blastfold.reporting.smears.colours import SCALE
from blastfold.reporting.smears.pictures import show
from blastfold.reporting.smears.truth import truth_section
from blastfold.reporting.smears.words import sentence

PAGE = "smears.html.j2"
"""The template of the page."""

LONGEST = 1100
"""Pixels of the longer side of a photograph in the page."""

JPEG_QUALITY = 82

MOST_PHOTOGRAPHS, MOST_CELLS = 200, 12_000
"""With more photographs or cells the pictures are files next to the page. So many photographs take
about 35 MB as text, so many cells 25 MB."""

logger = logging.getLogger(__name__)


def write_smears_page(
    names: tuple[str, Mapping[str, str]],
    files: Mapping[str, str | os.PathLike],
    folder: str | os.PathLike,
    templates: Iterable[str | os.PathLike],
    page: str | os.PathLike,
    pictures: str | os.PathLike,
) -> None:
    """Write the page of an application.

    Args:
        names: Its title, and those of the model, its data set and its protocol.
        files: Paths by name: as for :meth:`Application.read`, and crops; where the leukocytes are
            known also measures, errors and error_pictures.
        folder: The photographs.
        templates: Files of ``workflow/page``.
        page: HTML file to write.
        pictures: Folder next to the page, for pictures that are too many for the page; empty
            without such.

    Raises:
        InputError: A stored file is not as expected.
    """
    title, titles = names
    application = Application.read(title, files, titles)
    place = Path(pictures)
    place.mkdir(parents=True, exist_ok=True)
    apart = (
        len(application.photographs) > MOST_PHOTOGRAPHS or len(application.classified) > MOST_CELLS
    )
    store = Store(place if apart else None, Path(page).parent)
    crops = np.load(files["crops"], mmap_mode="r") if len(application.classified) else np.empty(0)
    shown = page_content(application, Path(folder), crops, store) | {"truth": truth_section(files)}
    html = render(shown, templates, PAGE)
    with written_whole(page) as part:
        part.write_text(html, "utf-8", newline="\n")
    logger.info("%d cells, %.1f MB", len(application.cells), len(html.encode()) / 1e6)


class Store:
    """Where the pictures of a page go: into the page as text, or into files next to it.

    Args:
        folder: Folder of files; None for the page.
        near: Folder of the page.
    """

    def __init__(self, folder: Path | None, near: Path):
        self.folder = folder
        self.near = near

    def keep(self, name: str, files: Iterable[bytes]) -> tuple[list[str], list[str]]:
        """Keep JPEG files; return their texts for the page, and their addresses next to it."""
        if self.folder is None:
            return list(map(as_text, files)), []
        paths = []
        for number, file in enumerate(files):
            path = self.folder / f"{name}-{number}.jpg"
            path.write_bytes(file)
            paths.append(path.relative_to(self.near).as_posix())
        return [], paths


def page_content(application: Application, folder: Path, crops: np.ndarray, store: Store) -> dict:
    """Return everything that the template shows.

    Args:
        application: The application.
        folder: The photographs.
        crops: uint8 (n, height, width, 3), the classified cells.
        store: Where pictures go.
    """
    cells = application.classified
    side = tile_side(max(1, len(cells)))
    sprites = sprite_files((np.asarray(crops[row]) for row in cells["crop"]), side)
    sheets, sheet_files = store.keep("cells", sprites)
    sizes: dict[str, tuple[int, int, float]] = {}
    photographs, photograph_files = store.keep(
        "photograph", _photographs(application, folder, sizes)
    )
    gallery = content.gallery_of(application)
    viewer = content.viewer_of(application, sizes)
    record = application.record
    return {
        "title": application.title,
        "notice": sentence(record["notice"]),
        "facts": content.facts(application),
        "summary": content.summary(application),
        "subjects": content.subject_table(application),
        "photograph_table": content.photograph_table(application),
        "notes": content.notes(application),
        "viewer": for_script(viewer | {"colours": list(SCALE), "files": photograph_files}),
        "photographs": photographs,
        "shown": len(sizes),
        "cells": len(cells),
        "apart": store.folder.name if store.folder else "",
        "gallery": {
            "name": gallery.name,
            "json": gallery.json(sheet_files),
            "sheets": sheets,
        },
        "corrections": content.CORRECTIONS,
        "dataset": content.dataset_lines(record["classes"], record["positive"], record["detector"]),
        "command": record["command"],
        "found_how": content.detection_words(record["detector"]),
    }


def _photographs(
    application: Application, folder: Path, sizes: dict[str, tuple[int, int, float]]
) -> Iterator[bytes]:
    """Yield the picture of every usable photograph, and enter its size and factor."""
    rows = application.photographs
    for name in rows.loc[rows["problem"] == "", "photograph"]:
        try:
            shown = show(folder / name, 1, LONGEST)
        except BlastfoldError as error:
            logger.warning("The photograph '%s' is not shown: %s", name, error)
            continue
        height, width = shown.picture.shape[:2]
        sizes[name] = width, height, shown.factor
        yield jpeg_file(shown.picture, JPEG_QUALITY)
