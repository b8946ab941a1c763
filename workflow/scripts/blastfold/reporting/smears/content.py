"""What the page of an application shows: facts, tables, the viewer of photographs, the gallery."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from blastfold.core.names import (
    DETECTED,
    GIVEN_SCALE,
    JOINED,
    LEUKAEMIA_CLASSES,
    NOT_A_LEUKOCYTE,
)
from blastfold.core.notes import parse_notes
from blastfold.reporting.page.gallery import Column, Gallery, Marks, Measure, Series
from blastfold.reporting.smears.application import Application, contour
from blastfold.reporting.smears.overlays import overlay_names
from blastfold.reporting.smears.pictures import scale_bar
from blastfold.reporting.smears.words import OUTSIDE, REASONS, SCALES, counted, percent, sentence

CORRECTIONS = "corrections.tsv"
"""Name of the sheet of labels that a reader downloads."""

FROM_TRAINING = "training_photograph"
"""Note of a photograph that a network learnt from."""

SHOWN_NOTES = ("training_cell", FROM_TRAINING, "one_network", "no_reference")
"""Notes of cells and photographs that are repeated above the tables."""

MEASURES = (
    ("spread", "Spread between the networks", 3),
    ("distance", "Distance to the training images", 2),
    ("area", "Area (µm²)", 1),
    ("roundness", "Roundness", 2),
    ("nearest", "Nearest leukocyte (µm)", 1),
)
"""Columns of the cells by which the gallery can be sorted, their titles and decimals."""


def facts(application: Application) -> list[tuple[str, str]]:
    """Return the headings and texts of the page's head."""
    photographs = application.photographs
    unusable = int((photographs["problem"] != "").sum())
    aside = application.cells["set_aside"].value_counts()
    whole = int(photographs["leukocytes"].sum())
    subjects = photographs["subject"].nunique() - int((photographs["subject"] == "").any())
    number = counted(len(photographs), "photograph")
    reasons = ", ".join(
        f"{aside[reason]:,} {words}" for reason, words in REASONS.items() if reason in aside
    )
    return [
        ("Photographs", f"{number}{f', {unusable} cannot be used' if unusable else ''}"),
        ("Subjects", f"{subjects:,}" if subjects else "not named"),
        ("Cells", f"{counted(whole, 'whole leukocyte')}; set aside: {reasons or 'nothing'}"),
        ("Model", model_words(application)),
        ("Scale", scale_words(photographs)),
    ]


def model_words(application: Application) -> str:
    """Return the model with what it was trained on, as far as it is known."""
    networks = counted(int(application.record["model"]["networks"]), "network")
    names = [name for kind in ("dataset", "protocol") if (name := application.name_of(kind))]
    trained = f", trained on {', '.join(names)}" if names else ""
    return f"{application.name_of('model')}, {networks}{trained}"


def scale_words(photographs: pd.DataFrame) -> str:
    """Return the micrometres per pixel of all photographs, and how they are known."""
    known = photographs["micrometres_per_pixel"].dropna()
    if known.empty:
        return "unknown"
    least, most = (f"{value:.3g}" for value in (known.min(), known.max()))
    how = dict.fromkeys(SCALES[code] for code in photographs["scale"] if code)
    values = least if least == most else f"{least} to {most}"
    return f"{values} µm per pixel, {', '.join(how)}"


def summary(application: Application) -> list[str]:
    """Return the sentences at the top of the page."""
    cells, positive = application.classified, application.positive
    if cells.empty:
        return ["No cell was classified."]
    found = int(cells["predicted"].isin(positive.split(JOINED)).sum())
    texts = [
        f"{found:,} of {counted(len(cells), 'classified cell')} "
        f"({percent(found / len(cells))}) are predicted as {positive}."
    ]
    known = cells["out_of_domain"].dropna()
    if len(known):
        outside = int(known.sum())
        texts.append(
            f"{outside:,} of {len(known):,} ({percent(outside / len(known))}) are {OUTSIDE}: their "
            "features are further from the training images than 99 % of these are. Of cells like "
            "the training images about 1 % would be. Do not rely on their predictions."
        )
    texts += [sentence(application.record["calibration_note"])]
    return [text for text in texts if text]


def subject_table(application: Application) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the subjects."""
    positive = application.positive
    table = application.subjects.fillna({"positive": 0, "out_of_domain": 0})
    headings = [
        *("Subject", "Photographs", "Whole leukocytes", "Classified", positive),
        *(f"Share of {positive}", "95 % interval", OUTSIDE.capitalize()),
    ]
    rows = [
        [
            row["subject"] or "not named",
            *(f"{int(row[key]):,}" for key in ("photographs", "leukocytes", "classified")),
            f"{int(row['positive']):,}",
            *(percent(row["share"]), interval(row["lower"], row["upper"])),
            f"{int(row['out_of_domain']):,}",
        ]
        for row in table.to_dict("records")
    ]
    return headings, rows


def interval(lower: float, upper: float) -> str:
    """Return an interval of a share in percent."""
    known = not math.isnan(lower)
    return f"{100 * lower:.0f} to {100 * upper:.0f} %" if known else "unknown"


def photograph_table(application: Application) -> tuple[list[str], list[list[str]]]:
    """Return headings and rows of the photographs."""
    positive = application.positive
    headings = [
        *("Photograph", "Subject", "Whole leukocytes", "Set aside", "Classified", positive),
        *(f"Share of {positive}", OUTSIDE.capitalize(), "Problem"),
    ]
    counts = dict.fromkeys(("leukocytes", *REASONS, "classified", "positive", "out_of_domain"), 0)
    rows = [
        [
            *(row["photograph"], row["subject"], f"{int(row['leukocytes']):,}"),
            f"{int(sum(row[reason] for reason in REASONS)):,}",
            *(f"{int(row['classified']):,}", f"{int(row['positive']):,}", percent(row["share"])),
            *(f"{int(row['out_of_domain']):,}", row["problem"]),
        ]
        for row in application.photographs.fillna(counts).to_dict("records")
    ]
    return headings, rows


def notes(application: Application) -> list[str]:
    """Return the notes of cells and photographs that readers must know, each once."""
    found = [*application.cells["note"], *application.photographs["note"]]
    codes = {note.code for text in set(found) for note in parse_notes(text)}
    return [sentence(code) for code in SHOWN_NOTES if code in codes]


def gallery_of(application: Application) -> Gallery:
    """Return the gallery of the classified cells, in the order of their crops."""
    cells = application.classified
    learnt = application.photographs["note"].str.contains(FROM_TRAINING)
    known = cells["photograph"].isin(application.photographs.loc[learnt, "photograph"])
    flags = [_flag(*cell) for cell in zip(cells["out_of_domain"] == 1, known, strict=True)]
    number = len(cells)
    columns = [
        Column("application", "Application", [application.title], [0] * number),
        Column.of("class", "Predicted as", cells["predicted"]),
        Column.of("subject", "Subject", cells["subject"]),
        Column.of("photograph", "Photograph", cells["photograph"]),
        Column.of("flag", "Flag", flags),
    ]
    return Gallery(
        name="smears",
        names=[_name(cell) for cell in cells[["photograph", "cell"]].to_dict("records")],
        labels=[-1] * number,
        columns=columns,
        positive=[application.positive],
        series=[
            Series(application.name_of("model"), 0, range(number), cells["probability"].tolist())
        ],
        measures=[
            Measure(title, cells[key].tolist(), decimals)
            for key, title, decimals in MEASURES
            if cells[key].notna().any()
        ],
        heading="Model",
        order="falling",
        marks=Marks(
            labels=application.record["classes"],
            nothing=NOT_A_LEUKOCYTE,
            path="photograph",
            subject="subject",
            x=cells["x"].tolist(),
            y=cells["y"].tolist(),
            origin=DETECTED,
            file=CORRECTIONS,
        ),
    )


def _name(cell: Mapping) -> str:
    return f"{cell['photograph']}, cell {int(cell['cell'])}"


def _flag(outside: bool, learnt: bool) -> str:
    flags = [OUTSIDE] * outside + ["photograph was in training"] * learnt
    return " and ".join(flags) or "none"


def viewer_of(application: Application, factors: Mapping[str, tuple[int, int, float]]) -> dict:
    """Return what the viewer of photographs reads.

    Args:
        application: The application.
        factors: By photograph that is shown: width and height of its picture, and pixels of the
            picture per pixel of the photograph.
    """
    crops = {
        key: place
        for place, key in enumerate(
            zip(application.classified["photograph"], application.classified["cell"], strict=True)
        )
    }
    rows = application.photographs.set_index("photograph")
    overlays = overlay_names(
        application.photographs.loc[application.photographs["problem"] == "", "photograph"]
    )
    photographs, drawn = [], []
    for name, (width, height, factor) in factors.items():
        cells = application.cells_of(name)
        row = rows.loc[name]
        photographs.append(
            {
                **{"name": name, "subject": row["subject"], "size": [width, height]},
                "first": len(drawn),
                "cells": len(cells),
                "leukocytes": int(row["leukocytes"]),
                "aside": int(sum(row[reason] for reason in REASONS)),
                "classified": _count(row["classified"]),
                "positive": _count(row["positive"]),
                "outside": _count(row["out_of_domain"]),
                "bar": _bar(row, width, factor),
                "overlay": f"overlays/{overlays[name]}",
            }
        )
        drawn += _drawn(cells, factor, crops)
    return {
        "photographs": photographs,
        "outlines": [outline for outline, _, _ in drawn],
        "gallery": [place for _, place, _ in drawn],
        "reasons": [reason for _, _, reason in drawn],
        "words": list(REASONS.values()),
        "outside": OUTSIDE,
        "positive": application.positive,
    }


def _count(number: float) -> int:
    return 0 if math.isnan(number) else int(number)


def _bar(row: Mapping, width: int, factor: float) -> list | None:
    """Return length in pixels and words of a scale bar."""
    bar = scale_bar(width, row["micrometres_per_pixel"] / factor)
    if bar is None:
        return None
    micrometres, pixels = bar
    given = row["scale"] == GIVEN_SCALE
    words = f"{micrometres:,} µm" if given else f"about {micrometres:,} µm, {SCALES[row['scale']]}"
    return [round(pixels, 1), words]


def _drawn(
    cells: pd.DataFrame, factor: float, crops: Mapping[tuple, int]
) -> Iterable[tuple[str, int, int]]:
    """Yield the outline of every cell, its place in the gallery, and its reason; -1 for none."""
    reasons = list(REASONS)
    for cell in cells.to_dict("records"):
        points = np.round((contour(cell) + 0.5) * factor, 1)
        place = crops.get((cell["photograph"], cell["cell"]), -1)
        reason = reasons.index(cell["set_aside"]) if cell["set_aside"] in reasons else -1
        yield " ".join(f"{x:g},{y:g}" for x, y in points.tolist()), place, reason


def detection_words(detector: Mapping) -> list[str]:
    """Return the sentences about how leukocytes were found.

    Args:
        detector: Settings of the detector, see ``record.json``.
    """
    if declared := detector.get("onnx"):
        return [
            f"Leukocytes are the boxes of a trained detector (SHA-256 {declared['sha256']}, scores "
            f"from {declared['least_score']:g}). Their outlines and measures are those of what is "
            "purple in the box. Cells that the edge cuts, and platelets where the detector knows "
            "them, are set aside and not classified. Red cells or the settings give the scale."
        ]
    return [
        "Leukocytes are found by their purple nuclei, with red cells as the scale. What is too "
        "small, too large, cut by the edge, or has not the colour, texture and shape of a cell is "
        "set aside with its reason. It is not classified."
    ]


def dataset_lines(classes: Sequence[str], positive: str, detector: Mapping) -> str:
    """Return the entry of a config that reads the downloaded labels.

    Args:
        classes: Names of the classes.
        positive: Names of the positive ones, joined.
        detector: Settings of the detector that differ from its own.
    """
    lines = [
        *("datasets:", "  corrected:", "    format: photographs"),
        "    path: resources/raw/corrected    # the photographs and the downloaded file",
        f"    sheet: {CORRECTIONS}",
    ]
    if tuple(classes) != LEUKAEMIA_CLASSES:
        names = map(json.dumps, classes)
        lines += ["    classes:", *(f"      {name}: [{name}]" for name in names)]
        lines.append(f"    positive: {json.dumps(positive.split(JOINED))}")
    given = {key: value for key, value in detector.items() if value and key != "onnx"}
    settings = [f"      {key}: {value:g}" for key, value in given.items()]
    if declared := detector.get("onnx"):
        settings += ["      onnx:", "        file: resources/detector.onnx    # its place"]
        settings += [f"        {key}: {json.dumps(declared[key])}" for key in declared]
    return "\n".join([*lines, *(["    detector:", *settings] if settings else [])])
