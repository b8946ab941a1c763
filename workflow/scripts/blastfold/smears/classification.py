"""An exported model applied to the cells that were detected in photographs."""

import dataclasses
import logging
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

import blastfold
from blastfold.cells.tables import read_cells, read_photographs
from blastfold.core.files import digest_file, write_json, written_together
from blastfold.core.names import JOINED, SET_ASIDE
from blastfold.core.notes import join_notes, make_note
from blastfold.core.raw_files import RawContent, require_content
from blastfold.core.tables import write_table
from blastfold.smears.crops import CropSize, CutCell, crop_size, cut_cells, photograph_digests
from blastfold.smears.exported import DESCRIPTION, ExportedModel, Predicted, open_export, predict
from blastfold.smears.photographs import read_listed
from blastfold.smears.tables import (
    CELL_COLUMNS,
    CLASSIFIED,
    CROPPED,
    NOTICE,
    count_photographs,
    count_subjects,
    probability_columns,
)
from blastfold.training.feature_domain import QUANTILE

TABLES = ("cells", "photographs", "subjects")
"""Names of the tables among the outputs."""

PACKAGES = ("numpy", "onnxruntime", "opencv-python-headless", "pandas")
"""Packages that results depend on."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SmearFiles:
    """What a classification reads.

    Attributes:
        folder: The folder of photographs.
        model: The folder of the export.
        command: What asks for the same application, for the record.
        cells: Table of detected cells.
        photographs: Table of the photographs.
        listed: Subject and picture of every photograph.
    """

    folder: str | os.PathLike
    model: str | os.PathLike
    cells: str | os.PathLike
    photographs: str | os.PathLike
    listed: str | os.PathLike
    command: str = ""


def classify_cells(
    files: SmearFiles,
    settings: Mapping,
    raw: RawContent | None,
    outputs: Mapping[str, str],
    threads: int = 1,
) -> None:
    """Classify all whole leukocytes of an application's photographs, and count them.

    Args:
        files: What is read.
        settings: ``threshold`` (name of a threshold of the export), ``crop_micrometres`` (longer
            side of a crop, or None), ``detector`` and ``sheet``.
        raw: What the folder held when the classification was planned; None checks nothing.
        outputs: Paths by name: cells, crops, photographs, subjects and record, see
            :mod:`blastfold.smears.tables`.
        threads: Threads that read photographs. Networks use one, so that predictions do not depend
            on it.

    Raises:
        InputError: The export cannot be used (see
            :func:`blastfold.smears.exported.open_export`), or the photographs were changed.
    """
    root, sheet = Path(files.folder), settings.get("sheet")
    require_content(root, raw, sheet, "since this classification was planned")
    model = open_export(files.model, settings["threshold"])
    photographs = read_photographs(files.photographs)
    listed = read_listed(files.listed).set_index("photograph")
    photographs = _with_names(photographs, listed)
    cells = _with_names(read_cells(files.cells), listed)
    whole = cells[cells["set_aside"] == ""]
    size = crop_size(model.description["image"], settings.get("crop_micrometres"), whole["area"])
    scales = photographs.set_index("photograph")["micrometres_per_pixel"].to_dict()
    names = (*TABLES, "crops", "record")
    with written_together(*(outputs[name] for name in names)) as paths:
        written = dict(zip(names, paths, strict=True))
        cut, problems = cut_cells(root, whole, scales, size, model.size, written["crops"], threads)
        predicted = predict(model, np.load(written["crops"], mmap_mode="r"))
        classified = fill_cells(cells, cut, problems, predicted, model)
        digests = photograph_digests(root, photographs["photograph"].tolist(), threads)
        photographs = _describe_photographs(photographs, digests, problems, classified, model)
        subjects = count_subjects(photographs, classified, model.positive)
        for name, table in zip(TABLES, (classified, photographs, subjects), strict=True):
            write_table(table.assign(notice=NOTICE), written[name])
        record = _record(model, files, settings, size, photographs)
        write_json(record, written["record"])
        require_content(root, raw, sheet, "while its cells were classified")
    logger.info("%s", _summary(photographs, model))


def _with_names(table: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """Add subject and picture of the photograph of every row."""
    named = listed.reindex(table["photograph"])
    table = table.copy()
    for place, name in enumerate(("subject", "picture"), start=1):
        table.insert(place, name, named[name].fillna("").to_numpy())
    return table


def fill_cells(
    cells: pd.DataFrame,
    cut: list[CutCell],
    problems: Mapping[str, str],
    predicted: Predicted,
    model: ExportedModel,
) -> pd.DataFrame:
    """Return ``cells.tsv``: detected cells with what the model says of them.

    Args:
        cells: Detected cells with subject and picture.
        cut: Cells that were cut out, with the row of each in ``cells``.
        problems: Why photographs could not be read again.
        predicted: Of the cells with an image, in their order.
        model: The export.
    """
    stored = [cell for cell in cut if cell.image is not None]
    rows = [cell.row for cell in stored]
    table = cells.reset_index(drop=True)
    filled = pd.DataFrame(np.nan, table.index, [*CROPPED, *probability_columns(model.classes)])
    filled = filled.join(pd.DataFrame(np.nan, table.index, ["probability", "spread", "distance"]))
    boxes = np.array([cell.box for cell in stored]).reshape(-1, 4)
    filled.loc[rows, list(CROPPED[:4])] = boxes
    filled.loc[rows, "crop"] = np.arange(len(rows))
    filled.loc[rows, probability_columns(model.classes)] = predicted.probabilities
    filled.loc[rows, "probability"] = predicted.calibrated.mean(axis=0)
    if len(model.networks) > 1:
        filled.loc[rows, "spread"] = predicted.calibrated.std(axis=0, ddof=1)
    filled.loc[rows, "distance"] = predicted.distances.mean(axis=0)
    filled["predicted"] = ""
    filled.loc[rows, "predicted"] = predicted_names(predicted.probabilities, model)
    distance = filled["distance"]
    filled["out_of_domain"] = (distance > 1).astype(float).where(distance.notna())
    filled["note"] = _cell_notes(table, cut, problems, filled, model)
    table = table.join(filled)
    whole = ["crop", *CROPPED[:4], "out_of_domain"]
    table[whole] = table[whole].astype("Int64")
    names = probability_columns(model.classes)
    return table[[*CELL_COLUMNS[: -len(CLASSIFIED)], *names, *CLASSIFIED]]


def predicted_names(probabilities: np.ndarray, model: ExportedModel) -> list[str]:
    """Return the class of every cell.

    Of the positive classes, taken together from the threshold on, or else of the others the most
    probable one.
    """
    positive = np.isin(model.classes, model.positive)
    called = probabilities[:, positive].sum(axis=1) >= model.threshold
    own = np.where(positive == called[:, np.newaxis], probabilities, -1).argmax(axis=1)
    return [model.classes[number] for number in own.tolist()]


def _cell_notes(
    table: pd.DataFrame,
    cut: list[CutCell],
    problems: Mapping[str, str],
    filled: pd.DataFrame,
    model: ExportedModel,
) -> list[str]:
    """Return why values are missing, and which crops are training images."""
    notes = [""] * len(table)
    aside = table["set_aside"] != ""
    unread = table["photograph"].isin(list(problems))
    for row in np.flatnonzero(aside):
        notes[row] = make_note("not_classified")
    for row in np.flatnonzero(~aside & unread):
        notes[row] = make_note("photograph_unreadable")
    for cell in cut:
        if cell.image is None:
            notes[cell.row] = make_note("crop_beyond_photograph")
            continue
        notes[cell.row] = join_notes(
            make_note("training_cell") if cell.digest in model.training_images else "",
            make_note("one_network") if len(model.networks) == 1 else "",
            make_note("no_reference") if np.isnan(filled["distance"].iloc[cell.row]) else "",
        )
    return notes


def _describe_photographs(
    photographs: pd.DataFrame,
    digests: Mapping[str, str],
    problems: Mapping[str, str],
    cells: pd.DataFrame,
    model: ExportedModel,
) -> pd.DataFrame:
    table = photographs.copy()
    table["sha256"] = [digests[name] for name in table["photograph"]]
    table["problem"] = [
        problem or problems.get(name, "")
        for name, problem in zip(table["photograph"], table["problem"], strict=True)
    ]
    learnt = table["sha256"].isin(model.training_images)
    learnt |= table["photograph"].isin(
        cells.loc[cells["note"].str.contains("training_cell"), "photograph"]
    )
    table["note"] = ["" if not known else make_note("training_photograph") for known in learnt]
    return count_photographs(table, cells, model.positive)


def _record(
    model: ExportedModel,
    files: SmearFiles,
    settings: Mapping,
    size: CropSize,
    photographs: pd.DataFrame,
) -> dict:
    description = model.description
    networks = description["networks"]
    learnt = photographs["note"].str.contains("training_photograph")
    return {
        "notice": NOTICE,
        "command": files.command,
        "detector": dict(settings.get("detector") or {}),
        "model": {
            "name": description.get("model"),
            **{name: description.get(name) for name in ("dataset", "protocol")},
            "networks": len(networks),
            "sha256": {DESCRIPTION: model.digest}
            | {name: digest for entry in networks for name, digest in entry["graphs"].items()},
            "versions": description.get("versions"),
        },
        "classes": model.classes,
        "positive": JOINED.join(model.positive),
        "threshold": model.threshold,
        "threshold_name": settings["threshold"],
        "calibration_note": join_notes(*(entry["temperature_note"] for entry in networks)),
        "crop": {**size._asdict(), "training_images": dict(description["image"])},
        "domain": {
            "quantile": QUANTILE,
            "networks": [
                {"fold": entry["fold"], **(entry.get("domain") or {})} for entry in networks
            ],
        },
        "detected_cells_sha256": digest_file(files.cells),
        "photographs": {
            "number": len(photographs),
            "unusable": int((photographs["problem"] != "").sum()),
            "from_training": photographs.loc[learnt, "photograph"].tolist(),
            "leukocytes": int(photographs["leukocytes"].sum()),
            **{reason: int(photographs[reason].sum()) for reason in SET_ASIDE},
            "classified": int(photographs["classified"].sum()),
        },
        "versions": _versions(),
    }


def _versions() -> dict[str, str]:
    found = {"blastfold": blastfold.__version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _summary(photographs: pd.DataFrame, model: ExportedModel) -> str:
    classified, positive = (int(photographs[name].sum()) for name in ("classified", "positive"))
    unusable = int((photographs["problem"] != "").sum())
    beyond = photographs["out_of_domain"].sum(min_count=1)
    unlike = "" if pd.isna(beyond) else f", {int(beyond)} unlike the training images"
    return (
        f"Research software, not a diagnosis: {classified} cells of {len(photographs) - unusable} "
        f"photographs classified, {positive} as {JOINED.join(model.positive)}{unlike}; {unusable} "
        "photographs could not be used"
    )
