"""A manuscript and its supplement in LaTeX: the main tables and figures, and all others.

The main document has the results in one paragraph, at most three tables and four figures; the
supplement has everything else, with the appendix tables (what was fitted on what, cost, printed
results) at its end.
"""

import logging
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import written_whole
from blastfold.reporting.publication.captions import CAPTIONS, REFERENCES, ReportCaptions
from blastfold.reporting.publication.letters import letters_for
from blastfold.reporting.tables.latex import escape_latex
from blastfold.reporting.tables.writing import heading_of

logger = logging.getLogger(__name__)

KINDS = ("dataset", "protocol", "model")
"""The meaning of the folders of a table or figure, from the outside in."""

POINTS_PER_MILLIMETRE = 72 / 25.4

TEXT_SIZE = (180.0, 240.0)
"""Width and height of the document's text block in mm; the width of two journal columns."""

FLOATS_TOGETHER = 6
"""Tables or figures after which LaTeX prints those that wait."""

MEDIA_BOX = re.compile(rb"/MediaBox\s*\[\s*([\d.+-]+)\s+([\d.+-]+)\s+([\d.+-]+)\s+([\d.+-]+)\s*\]")

PREAMBLE = r"""% Compiles with pdfLaTeX, LuaLaTeX or XeLaTeX (tectonic).
@note@\documentclass[10pt]{article}
\usepackage[a4paper,textwidth=180mm,textheight=240mm]{geometry}
\ifdefined\Umathchar % LuaLaTeX and XeLaTeX read every letter by themselves.
\usepackage{fontspec}
@font@\else
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp}
@letters@\fi
\usepackage{booktabs,graphicx,longtable}
\setlength{\belowcaptionskip}{6pt}
\title{@title@}
\author{First Author \and Second Author}
\date{}
\begin{document}
\maketitle
"""

MOST_TABLES, MOST_FIGURES = 3, 4
"""Tables and figures of the main document, at most."""

MAIN_TABLES = (
    *("datasets", "{dataset}/class_results", "{run}/classes"),
    *("{dataset}/quoted", "{dataset}/leak_contrast", "{split}/comparisons"),
    "external_test",
)
MAIN_FIGURES = (
    "{run}/class_confusion",
    *("{split}/roc", "{dataset}/protocol_gap", "{dataset}/baselines", "{split}/calibration"),
    *("{split}/differences", "external_test"),
)
"""What the main document shows, in the order of preference; what does not exist is left out. What
is about all classes exists where there are more than two."""

APPENDIX = (
    *("imports", "fitted_artefacts", "identity", "compute_cost", "network_cost"),
    *("printed_audit", "reproduction", "literature"),
)
"""Tables at the end of the supplement."""


def assemble_publication(
    tables: Iterable[str | os.PathLike],
    figures: Iterable[str | os.PathLike],
    methods: str | os.PathLike,
    answer: str | os.PathLike,
    captions: Iterable[str | os.PathLike],
    root: str | os.PathLike,
    about: Mapping,
    outputs: Mapping[str, str],
) -> None:
    """Collect tables and figures and write the documents that show them.

    Args:
        tables: LaTeX tables below ``{root}/tables``.
        figures: PDF figures below ``{root}/figures``.
        methods: The methods section as LaTeX, in the same folder as the documents.
        answer: The answers of the results page, which are the results in one paragraph.
        captions: The report's captions (reStructuredText).
        root: Folder that the names of tables and figures are relative to.
        about: title; titles of the entries of the config (kind -> name -> title); dataset,
            protocol and model of the main document; captions (figure or table as its rule declares
            it, with wildcards in braces -> name of its caption); citation of the workflow.
        outputs: ``tables`` and ``figures`` (folders), ``document`` (main.tex) and ``supplement``.

    Raises:
        BlastfoldError: When two files would get the same name.
    """
    collected = collect(tables, Path(root) / "tables", outputs["tables"])
    drawn = collect(figures, Path(root) / "figures", outputs["figures"])
    report = ReportCaptions(about["captions"], captions, about["titles"])
    shown = {
        name: " ".join([figure_caption(name, about["titles"]), report.of(name)]).strip()
        for name in drawn
    }
    main = [
        chosen(kinds, about, files, most)
        for kinds, files, most in (
            (MAIN_TABLES, collected, MOST_TABLES),
            (MAIN_FIGURES, drawn, MOST_FIGURES),
        )
    ]
    others = [name for name in collected if name not in main[0]]
    others.sort(key=lambda name: "/".join(name) in APPENDIX)
    rest = [name for name in drawn if name not in main[1]]
    results = results_paragraph(Path(answer).read_text("utf-8"))
    pages = {
        "document": main_body(Path(methods), results, about["citation"]),
        "supplement": ["@floats@"],
    }
    names = {"document": main, "supplement": (others, rest)}
    heading = {"document": about["title"], "supplement": f"Supplement: {about['title']}"}
    for kind, body in pages.items():
        chosen_tables, chosen_figures = names[kind]
        floats = _flushed([_input(collected[name]) for name in chosen_tables])
        floats += _flushed([_figure(drawn[name], shown[name]) for name in chosen_figures])
        read = [collected[name].read_text("utf-8") for name in chosen_tables]
        read += [Path(methods).read_text("utf-8"), results]
        read += [shown[name] for name in chosen_figures]
        text = document(heading[kind], body, floats, "".join(read))
        with written_whole(outputs[kind]) as partial:
            partial.write_text(text, encoding="utf-8", newline="\n")
    logger.info("%d tables, %d figures", len(collected), len(drawn))


def chosen(
    patterns: Iterable[str], about: Mapping, there: Iterable[tuple[str, ...]], most: int
) -> list[tuple[str, ...]]:
    """Return the first files that exist, at most so many.

    Args:
        patterns: Names with {dataset}, {split} and {run}, in the order of preference.
        about: See :func:`assemble_publication`.
        there: Names of the files that there are, by their parts.
        most: So many at most.
    """
    split = f"{about['dataset']}/{about['protocol']}"
    names = {"dataset": about["dataset"], "split": split, "run": f"{split}/{about['model']}"}
    wanted = [pattern.format(**names) for pattern in patterns]
    found = {"/".join(name): name for name in there}
    return [found[name] for name in wanted if name in found][:most]


def results_paragraph(answer: str) -> str:
    """Return the answers of the results page as one paragraph of plain text.

    Args:
        answer: One bullet of reStructuredText per data set.
    """
    lines = [line.removeprefix("* ") for line in answer.splitlines() if line.strip()]
    return re.sub(r"\\(.)", r"\1", " ".join(lines))


def main_body(methods: Path, results: str, citation: Mapping[str, str]) -> list[str]:
    """Return the sections of the main document; the floats take the place of ``@floats@``."""
    software = escape_latex(
        f"{citation['authors']}. {citation['title']}. Version {citation['version']}."
    )
    return [
        r"\begin{abstract}",
        "Write the abstract here.",
        r"\end{abstract}",
        rf"\input{{{methods.name}}}",
        r"\section*{Results}",
        escape_latex(results or "No result has been evaluated."),
        "@floats@",
        r"\begin{thebibliography}{9}",
        rf"\bibitem{{blastfold}} {software}",
        *(rf"\bibitem{{{key}}} {escape_latex(text)}" for key, text in REFERENCES.items()),
        r"\end{thebibliography}",
    ]


def document(title: str, body: Sequence[str], floats: Sequence[str], read: str) -> str:
    """Return a LaTeX document; all files are in its folder or one folder below.

    Args:
        title: Title in plain text.
        body: Its lines; the line ``@floats@`` becomes the tables and figures.
        floats: Lines of tables and figures.
        read: All text that it prints, for letters that pdfLaTeX does not have.
    """
    letters = letters_for("".join([title, *body, read]))
    preamble = PREAMBLE
    for place, latex in letters._asdict().items():
        preamble = preamble.replace(f"@{place}@", latex)
    preamble = preamble.replace("@title@", escape_latex(title))
    lines = [part for line in body for part in (floats if line == "@floats@" else [line])]
    return "\n".join([preamble, *lines, r"\end{document}", ""])


def _input(path: Path) -> str:
    return rf"\input{{{path.parent.name}/{path.name}}}"


def collect(
    files: Iterable[str | os.PathLike], root: Path, folder: str | os.PathLike
) -> dict[tuple[str, ...], Path]:
    """Copy files from sub-folders into one folder.

    Args:
        files: Files below ``root``.
        root: Folder that their names are relative to.
        folder: Folder of the copies.

    Returns:
        The copies by the parts of the original's name without its ending, in the order given:
        ``demo/holdout/roc.pdf`` becomes ``demo-holdout-roc.pdf``.

    Raises:
        BlastfoldError: When two files would get the same name.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    copies: dict[tuple[str, ...], Path] = {}
    for file in map(Path, files):
        parts = file.relative_to(root).with_suffix("").parts
        copy = Path(folder) / ("-".join(parts) + file.suffix)
        if copy in copies.values():
            raise BlastfoldError(f"{file}: another file has the name {copy.name} already")
        shutil.copyfile(file, copy)
        copies[parts] = copy
    return copies


def figure_caption(parts: tuple[str, ...], titles: dict[str, dict[str, str]]) -> str:
    """Name a figure by its file and the titles of what it belongs to.

    Args:
        parts: For instance ``("demo", "holdout", "roc")``.
        titles: kind -> name -> title.

    Returns:
        For instance ``"ROC curves: Generated smears, 75/5/20 by image."``
    """
    *folders, name = parts
    about = [
        titles[kind].get(folder, folder.replace("_", " "))
        for kind, folder in zip(KINDS, folders, strict=False)
    ]
    if folders[:1] == ["ablations"]:
        about = [titles["ablation"][folders[1]]]
    if "architectures" in folders:
        about = [titles["dataset"].get(folders[0], folders[0]), titles["model"].get(name, name)]
        name = "architecture"
    if folders == ["slides"]:
        name, about = "tiles", [name]
    if folders[2:] == ["attribution"]:
        about[2:] = [f"tested on {titles['dataset'].get(name, name)}"]
        name = "attribution"
    shown = CAPTIONS.get(name, heading_of(name))
    return f"{shown}: {', '.join(about)}." if about else f"{shown}."


def figure_size(path: str | os.PathLike) -> tuple[float, float] | None:
    """Return the width and height of a PDF page in mm; None when the file does not state it."""
    box = MEDIA_BOX.search(Path(path).read_bytes())
    if not box:
        return None
    left, bottom, right, top = map(float, box.groups())
    return (right - left) / POINTS_PER_MILLIMETRE, (top - bottom) / POINTS_PER_MILLIMETRE


def _figure(path: Path, caption: str) -> str:
    size = figure_size(path)
    # A figure drawn for a journal's column keeps its size; a larger one is made to fit.
    fits = size and size[0] <= TEXT_SIZE[0] + 0.1 and size[1] <= 0.85 * TEXT_SIZE[1]
    options = "" if fits else r"[width=\linewidth,height=0.85\textheight,keepaspectratio]"
    label = re.sub(r"[^A-Za-z0-9:.-]+", "-", path.stem)
    return "\n".join(
        [
            r"\begin{figure}[htbp]",
            r"\centering",
            rf"\includegraphics{options}{{{path.parent.name}/{path.name}}}",
            rf"\caption{{{escape_latex(caption)}}}",
            rf"\label{{fig:{label}}}",
            r"\end{figure}",
        ]
    )


def _flushed(floats: list[str]) -> list[str]:
    lines = []
    for place, text in enumerate(floats, start=1):
        lines.append(text)
        if place % FLOATS_TOGETHER == 0 or place == len(floats):
            lines.append(r"\clearpage")
    return lines
