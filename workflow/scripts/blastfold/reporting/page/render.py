"""From facts to one HTML file: templates, style sheets, scripts and pictures in one."""

import logging
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import jinja2

from blastfold.core.files import written_together
from blastfold.core.names import LEUKAEMIA_CLASSES
from blastfold.reporting.page.answer import answer_sentences, banner
from blastfold.reporting.page.cells import Cells
from blastfold.reporting.page.classes import class_section
from blastfold.reporting.page.content import (
    data_section,
    failure_section,
    leakage_section,
    quote_section,
)
from blastfold.reporting.page.elsewhere import clinical_section, external_section
from blastfold.reporting.page.files import cost_section, file_section, printed_tables
from blastfold.reporting.page.gallery import sprite_sheets, tile_side
from blastfold.reporting.page.glossary import Explainer, read_glossary
from blastfold.reporting.page.sources import Sources
from blastfold.reporting.page.study import Study
from blastfold.reporting.page.trust import WORDS, Light, lights, word_of

logger = logging.getLogger(__name__)

PAGE = "page.html.j2"
"""The template of the page; the other templates, style sheets and scripts are included in it."""

GLOSSARY = "glossary.md"
"""The file of words that the page explains; without it no word is linked."""

_RST = re.compile(r"([\\`*_|<>\[\]])")


def write_page(
    about: Mapping,
    citation: Mapping[str, str],
    templates: Iterable[str | os.PathLike],
    paths: Iterable[str | os.PathLike],
    page: str | os.PathLike,
    answer: str | os.PathLike,
) -> None:
    """Write the results page, and its answer as the first lines of Snakemake's report.

    Args:
        about: See :class:`blastfold.reporting.page.study.Study`.
        citation: title, version, authors and license of the workflow.
        templates: Files of ``workflow/page``, and the glossary of the documentation.
        paths: Stored results below the folder of the page.
        page: HTML file to write.
        answer: reStructuredText file to write.

    Raises:
        InputError: A stored file is not as expected.
    """
    study = Study(Sources(Path(page).parent, paths), about)
    content = page_content(study, citation)
    html = render(content, templates)
    with written_together(page, answer) as (page_part, answer_part):
        page_part.write_text(html, "utf-8", newline="\n")
        answer_part.write_text(answer_text(content["parts"]), "utf-8", newline="\n")
    logger.info("%d cells, %.1f MB", content["cells"], len(html.encode()) / 1e6)


def page_content(study: Study, citation: Mapping[str, str]) -> dict:
    """Return everything that the template shows."""
    cells = Cells(study)
    found = lights(study)
    gallery, tiles = cells.gallery()
    side = tile_side(len(tiles))
    return {
        "title": study.about["title"],
        "banner": banner(study),
        "class_names": study.known_classes,
        "parts": [_part(study, cells, name) for name in study.datasets],
        "lights": light_groups(found),
        "counts": [
            (state, word_of(state, number), number)
            for state in WORDS
            for number in [sum(light.state == state for light in found)]
        ],
        "external": external_section(study),
        "cost": cost_section(study),
        "data": data_section(study, cells),
        "methods": methods_paragraphs(study.sources.text("publication/methods.md") or ""),
        "chosen": printed_tables(study, "tuning"),
        "files": file_section(study),
        "citation": citation,
        "cells": len(gallery.names),
        "left_out": cells.left_out,
        "gallery": {
            "name": gallery.name,
            "json": gallery.json(),
            "sheets": sprite_sheets(map(cells.tile, tiles), side),
        },
    }


def _part(study: Study, cells: Cells, dataset: str) -> dict:
    """Return all that the page shows of one data set."""
    return {
        "name": dataset,
        "title": study.title("dataset", dataset),
        "source": dataset in study.about["sources"],
        "answer": answer_sentences(study, dataset),
        "quote": quote_section(study, dataset),
        "leakage": leakage_section(study, dataset),
        "failures": failure_section(study, cells, dataset),
        "classes": class_section(study, cells, dataset),
        "clinical": clinical_section(study, dataset),
    }


def light_groups(found: Iterable[Light]) -> dict[str, list[Light]]:
    """Return the lights by what they are about, in their order."""
    groups: dict[str, list[Light]] = {}
    for light in found:
        groups.setdefault(light.about, []).append(light)
    return groups


def methods_paragraphs(text: str) -> list[tuple[str, str]]:
    """Return the heading and the text of every paragraph of the methods section.

    Args:
        text: Markdown as :mod:`blastfold.reporting.publication.methods` writes it: one paragraph
            per line, each with a bold heading.
    """
    found = re.findall(r"^\*\*(.*?)\.\*\* (.*)$", text, re.MULTILINE)
    return [(heading, re.sub(r"\\(.)", r"\1", body)) for heading, body in found]


def render(content: Mapping, templates: Iterable[str | os.PathLike], page: str = PAGE) -> str:
    """Fill a page's template; a name that it uses and that is missing is an error."""
    files = {Path(path).name: Path(path).read_text("utf-8") for path in templates}
    environment = jinja2.Environment(
        loader=jinja2.DictLoader(files),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    entries = read_glossary(files.get(GLOSSARY, ""))
    absent = {*LEUKAEMIA_CLASSES} - {*content.get("class_names", LEUKAEMIA_CLASSES)}
    entries = [entry for entry in entries if entry.term not in absent]
    environment.filters["explained"] = Explainer(entries)
    return environment.get_template(page).render(**content, included=files, glossary=entries)


def answer_text(parts: Iterable[Mapping]) -> str:
    """Return the answers of all data sets as reStructuredText."""
    lines = []
    for part in parts:
        if not part["source"]:
            lines += [f"* {_escape_rst(' '.join(part['answer']))}"]
    return "\n".join(lines) + "\n"


def _escape_rst(text: str) -> str:
    return _RST.sub(r"\\\1", " ".join(text.split()))
