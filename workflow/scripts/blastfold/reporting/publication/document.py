"""A minimal LaTeX document of all tables and figures, and the files that it needs."""

import logging
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from blastfold.core.errors import BlastfoldError
from blastfold.core.files import written_whole
from blastfold.reporting.tables.writing import escape_latex, heading_of

logger = logging.getLogger(__name__)

KINDS = ("dataset", "protocol", "model")
"""The meaning of the folders of a table or figure, from the outside in."""

CAPTIONS = {
    "accuracy_comparison": "Accuracy of all models under all protocols",
    "architecture": "The network, stage by stage",
    "attribution": "Where the networks look on test cells",
    "augmented_images": "What each random change does to a training image",
    "calibration": "Reliability diagrams",
    "class_distribution": "Images of each class",
    "confusion_matrix": "Confusion matrix of the test images",
    "decision_curve": "Net benefit of all models by threshold",
    "detection": "Leukocytes that the detector missed, and false detections",
    "differences": "Differences between models with their intervals",
    "effects": "Effect of each choice",
    "efficiency": "Accuracy against cost, with Pareto fronts",
    "duplicates": "Pairs of images that show the same cell",
    "example_images": "Example images of both classes",
    "leakage": "Share of the test images that are related to training images",
    "learning_curve": "Results by the share of the training groups",
    "literature_comparison": "Measured and published accuracies",
    "mean_images": "Mean image of each fold's training images",
    "precision_recall": "Precision against recall",
    "protocol_gap": "The same models under different protocols",
    "risk_coverage": "Error rate of the images that each model is most certain of",
    "roc": "ROC curves",
    "selected_tiles": "The best and the worst images of each class for a linear probe",
    "stain_macenko": "Images before and after stain normalisation (Macenko)",
    "stain_reinhard": "Images before and after stain normalisation (Reinhard)",
    "subjects": "Probabilities of the cells of every subject",
    "transfer": "From the source tasks to the models that start from them",
    "tiles": "Tissue of a slide, its kept and its rejected tiles",
    "variance_components": "Variance of the results by seeds, splits and subjects",
    "training_curves": "Accuracy, loss and F1 by epoch",
}
"""Captions of figures, by name; any other figure has its name as caption."""

POINTS_PER_MILLIMETRE = 72 / 25.4

TEXT_SIZE = (180.0, 240.0)
"""Width and height of the document's text block in mm; the width of two journal columns."""

FLOATS_TOGETHER = 6
"""Tables or figures after which LaTeX prints those that wait."""

MEDIA_BOX = re.compile(rb"/MediaBox\s*\[\s*([\d.+-]+)\s+([\d.+-]+)\s+([\d.+-]+)\s+([\d.+-]+)\s*\]")

# Beyond these, pdfLaTeX has no letters: Latin letters, dashes, quotation marks, the ellipsis.
KNOWN_TO_PDFLATEX = re.compile(
    "[\\x00-\\x7f\u00a1-\u0148\u014a-\u017e\u2013\u2014\u2018-\u201a\u201c-\u201e\u2026\u20ac]"
)

PREAMBLE = r"""% Compiles with pdfLaTeX, LuaLaTeX or XeLaTeX (tectonic).
\documentclass[10pt]{article}
\usepackage[a4paper,textwidth=180mm,textheight=240mm]{geometry}
\ifdefined\Umathchar % LuaLaTeX and XeLaTeX read every letter by themselves.
\usepackage{fontspec}
\else
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}
\usepackage{textcomp}
@letters@\fi
\usepackage{booktabs,graphicx,longtable,rotating}
\setlength{\belowcaptionskip}{6pt}
\title{@title@}
\author{}
\date{}
\begin{document}
\maketitle
"""


def assemble_publication(
    tables: Iterable[str | os.PathLike],
    figures: Iterable[str | os.PathLike],
    methods: str | os.PathLike,
    root: str | os.PathLike,
    titles: dict[str, dict[str, str]],
    title: str,
    outputs: dict[str, str],
) -> None:
    """Collect tables and figures and write the document that shows them.

    Args:
        tables: LaTeX tables below ``{root}/tables``.
        figures: PDF figures below ``{root}/figures``.
        methods: The methods section as LaTeX, in the same folder as the document.
        root: Folder that the names of tables and figures are relative to.
        titles: Titles of the entries of the config: kind -> name -> title.
        title: Title of the document.
        outputs: ``tables`` and ``figures`` (folders) and ``document`` (main.tex).

    Raises:
        BlastfoldError: When two files would get the same name.
    """
    collected = collect(tables, Path(root) / "tables", outputs["tables"])
    drawn = collect(figures, Path(root) / "figures", outputs["figures"])
    text = document(
        list(collected.values()),
        {copy: figure_caption(name, titles) for name, copy in drawn.items()},
        Path(methods),
        title,
    )
    with written_whole(outputs["document"]) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")
    logger.info("%d tables, %d figures", len(collected), len(drawn))


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


def document(tables: list[Path], figures: dict[Path, str], methods: Path, title: str) -> str:
    """Return the LaTeX document; all files are in its folder or one folder below.

    Args:
        tables: LaTeX tables, in the order in which they are shown.
        figures: Captions (plain text) of PDF figures.
        methods: The methods section.
        title: Title in plain text.
    """
    inputs = [methods.read_text("utf-8"), *(path.read_text("utf-8") for path in tables)]
    letters = unknown_letters("".join([title, *inputs, *figures.values()]))
    preamble = PREAMBLE.replace("@letters@", letters).replace("@title@", escape_latex(title))
    body = [rf"\input{{{methods.name}}}", r"\clearpage"]
    body += _flushed([rf"\input{{{path.parent.name}/{path.name}}}" for path in tables])
    body += _flushed([_figure(path, caption) for path, caption in figures.items()])
    return "\n".join([preamble, *body, r"\end{document}", ""])


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


def unknown_letters(text: str) -> str:
    """Return LaTeX that makes pdfLaTeX print the number of a letter that its fonts do not have.

    Without this a single such letter in a title would stop pdfLaTeX; the other engines show it.
    """
    unknown = sorted({letter for letter in text if not KNOWN_TO_PDFLATEX.match(letter)})
    return "".join(
        rf"\DeclareUnicodeCharacter{{{ord(letter):04X}}}{{[U+{ord(letter):04X}]}}" + "\n"
        for letter in unknown
    )


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
